// A policy for bursts that come at known times: a larger fleet from shortly before each of them until it is over, a small
// one otherwise, and one worker more where requests wait all the same.
//
//   dynosim replay hour.jsonl --num-workers 1 --planner ./examples/burst-policy.mjs \
//     --planner-config '{"everySeconds":600,"burstSeconds":60,"workers":1,"burstWorkers":3}'

const TICK_MS = 5000;
const MOST_WAITING = 8;

export function createPlanner({ stages }, { everySeconds, burstSeconds, workers, burstWorkers }) {
  const periodMs = everySeconds * 1000;
  // Workers are asked for early enough to be ready, and stay until the last requests of a burst are served.
  const aheadMs = Math.max(...stages.map(({ startupMs }) => startupMs)) + 2 * TICK_MS;
  const afterMs = 4 * TICK_MS;
  return {
    nextTickMs: TICK_MS,
    reason: '',
    tick(view) {
      this.nextTickMs = view.nowMs + TICK_MS;
      const untilEndMs = periodMs - (view.nowMs % periodMs);
      const isBurst = untilEndMs <= burstSeconds * 1000 + aheadMs || periodMs - untilEndMs < afterMs;
      this.reason = isBurst ? 'burst' : 'quiet';
      const size = isBurst ? burstWorkers : workers;
      const sizes = view.stages.map(({ name, active, waitingRequests }) => {
        const isShort = waitingRequests > MOST_WAITING * active.length;
        return [name, isShort ? Math.max(size, active.length + 1) : size];
      });
      return Object.fromEntries(sizes);
    },
  };
}
