import { describe, expect, test } from 'vitest';
import { Slots } from '../../../src/proxy/slots.ts';

describe('slots', () => {
  test('let no more in than there are, and the others in the order they came', async () => {
    const slots = new Slots(3);
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    const enter = async (number: number): Promise<void> => {
      await slots.take();
      order.push(number);
      inside++;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
      slots.give();
    };
    const numbers = Array.from({ length: 3000 }, (_, index) => index);
    await Promise.all(numbers.map(enter));
    expect(most).toBe(3);
    expect(order).toEqual(numbers);
  });

  test('are free again after a rush', async () => {
    const slots = new Slots(1);
    await slots.take();
    const second = slots.take();
    slots.give();
    await second;
    slots.give();
    await slots.take();
  });
});
