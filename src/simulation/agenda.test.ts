import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Agenda, PASS_END, TRANSFER_END, WORKER_READY } from './agenda.js';

/** Takes all that happens at the next time, kind by kind as it comes. */
function happen(agenda: Agenda): string[] {
  agenda.nowMs = agenda.nextMs;
  agenda.round = 0;
  const told: string[] = [];
  for (let any = true; any; )
    any = [PASS_END, WORKER_READY, TRANSFER_END].some((kind) =>
      agenda.takeAll(kind, (subject) => told.push(`${['pass', 'ready', 'transfer'][kind]} ${subject}`)),
    );
  return told;
}

describe('the agenda', () => {
  it('puts first what was caused first, however late it was noted', () => {
    const agenda = new Agenda();
    agenda.pushPassEnd(10, 5, 1);
    agenda.pushPassEnd(10, 2, 3);
    agenda.pushPassEnd(10, 5, 0);
    agenda.pushPassEnd(7, 6, 2);
    expect(happen(agenda)).toEqual(['pass 2']);
    expect(happen(agenda)).toEqual(['pass 3', 'pass 0', 'pass 1']);
    expect(agenda.nextMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('puts transfers before the passes that start after them, and those before workers that start up', () => {
    const agenda = new Agenda();
    agenda.nowMs = 3;
    agenda.pushReady(9, 4);
    agenda.pushPassEnd(9, 3, 7);
    agenda.pushTransferEnd(9, 20, 1);
    agenda.pushTransferEnd(9, 10, 0);
    expect(happen(agenda)).toEqual(['transfer 20', 'transfer 10', 'pass 7', 'ready 4']);
  });

  it('puts what an earlier round of a time caused before what a later one did', () => {
    const agenda = new Agenda();
    agenda.round = 1;
    agenda.pushTransferEnd(4, 1, 0);
    agenda.round = 0;
    agenda.pushPassEnd(4, 0, 2);
    expect(happen(agenda)).toEqual(['pass 2', 'transfer 1']);
  });

  it('by other rules puts them by kind, passes by worker and transfers by request', () => {
    const agenda = new Agenda(true);
    agenda.pushReady(9, 4);
    agenda.pushTransferEnd(9, 20, 1);
    agenda.pushTransferEnd(9, 30, 0);
    agenda.pushPassEnd(9, 2, 7);
    agenda.pushPassEnd(9, 5, 3);
    expect(happen(agenda)).toEqual(['pass 3', 'pass 7', 'ready 4', 'transfer 30', 'transfer 20']);
  });

  it('forgets events that no longer stand for anything', () => {
    const agenda = new Agenda();
    const old = agenda.pushPassEnd(5, 0, 1);
    agenda.pushPassEnd(8, 0, 1);
    agenda.isVoid = (_subject, order) => order === old;
    expect(agenda.nextMs).toBe(8);
    expect(happen(agenda)).toEqual(['pass 1']);
  });

  it('never goes back in time', () => {
    const times = fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.nat(5)), { maxLength: 60 });
    fc.assert(
      fc.property(times, (events) => {
        const agenda = new Agenda();
        for (const [ms, worker] of events) agenda.pushPassEnd(ms, 0, worker);
        let lastMs = 0;
        let taken = 0;
        while (agenda.nextMs < Number.POSITIVE_INFINITY) {
          expect(agenda.nextMs).toBeGreaterThanOrEqual(lastMs);
          lastMs = agenda.nextMs;
          taken += happen(agenda).length;
        }
        expect(taken).toBe(events.length);
      }),
    );
  });
});
