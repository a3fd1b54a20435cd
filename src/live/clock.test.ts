import { describe, expect, it } from 'vitest';
import { VirtualClock, WallClock } from './clock.js';

describe.each([
  ['wall', () => new WallClock()],
  ['virtual', () => new VirtualClock()],
])('a %s clock', (_, open) => {
  it('wakes at the time last asked for, in a turn of its own', async () => {
    const clock = open();
    const woken: string[] = [];
    await new Promise<void>((resolve) => {
      clock.wakeAt(5, () => woken.push('forgotten'));
      clock.wakeAt(12, () => {
        woken.push('kept');
        resolve();
      });
      expect(woken).toEqual([]);
    });
    expect(woken).toEqual(['kept']);
    expect(clock.nowMs).toBeGreaterThan(10);
  });

  it('does not wake when it was stopped', async () => {
    const clock = open();
    clock.wakeAt(1, () => expect.unreachable());
    clock.stop();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(clock.nowMs).toBeGreaterThanOrEqual(0);
  });
});
