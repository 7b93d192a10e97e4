import { describe, expect, test } from 'vitest';
import { PeakEwma } from '../../../src/resilience/ewma.ts';

describe('a peak EWMA', () => {
  test('knows nothing before the first answer', () => {
    expect(new PeakEwma().at(1000)).toBeLessThan(0);
  });

  test('jumps to a slow answer at once, and comes down slowly', () => {
    const ewma = new PeakEwma();
    ewma.succeeded(10, 0);
    ewma.succeeded(500, 100);
    expect(ewma.at(100)).toBe(500);
    ewma.succeeded(10, 200);
    expect(ewma.at(200)).toBeGreaterThan(450);
  });

  test('is 63 % of the way to what the answers take after ten seconds', () => {
    const ewma = new PeakEwma();
    ewma.succeeded(1000, 0);
    ewma.succeeded(0, 10_000);
    expect(ewma.at(10_000)).toBeCloseTo(367.9, 1);
  });

  test('fades without an answer, so that a slow endpoint is tried again', () => {
    const ewma = new PeakEwma();
    ewma.succeeded(1000, 0);
    expect(ewma.at(60_000)).toBeLessThan(3);
  });

  test('a failure that took no time doubles it, and ten in a row are ten seconds', () => {
    const ewma = new PeakEwma();
    ewma.succeeded(10, 0);
    ewma.failed(0, 0);
    expect(ewma.at(0)).toBe(20);
    for (let i = 0; i < 10; i++) ewma.failed(0, 0);
    expect(ewma.at(0)).toBe(10_000);
  });

  test('an endpoint that has only ever failed fast looks slower than one that answers', () => {
    const failing = new PeakEwma();
    for (let i = 0; i < 5; i++) failing.failed(0.2, i);
    const answering = new PeakEwma();
    answering.succeeded(20, 0);
    expect(failing.at(5)).toBeGreaterThan(answering.at(5));
  });

  test('a failure that took longer than anything counts for more than that', () => {
    const ewma = new PeakEwma();
    ewma.failed(30_000, 0);
    expect(ewma.at(0)).toBe(30_000);
  });
});
