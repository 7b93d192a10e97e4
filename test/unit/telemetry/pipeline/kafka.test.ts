/**
 * The Kafka sink against brokers that are not ours: the mock cluster of librdkafka, which kcat runs in its own process
 * and reads from as an ordinary client.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { KafkaDestination } from '../../../../src/telemetry/pipeline/kafka-destination.ts';
import { standStill } from '../../../support/stand-still.ts';
import { hasTools } from '../../../support/tools.ts';

const NEVER = new AbortController().signal;
const hasKcat = hasTools('kcat');

let broker: ChildProcess | null = null;

afterEach(() => {
  broker?.kill('SIGKILL');
  broker = null;
});

/** Brokers, by the address they print. */
function startBrokers(): Promise<string> {
  const child = spawn(
    'kcat',
    ['-C', '-b', 'mock', '-X', 'test.mock.num.brokers=1', '-d', 'mock', '-t', 'unused'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  broker = child;
  let text = '';
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stderr.on('data', (chunk) => {
      text += chunk;
      const found = /bootstrap\.servers=(127\.0\.0\.1:\d+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
}

/** What a topic holds, read by kcat: `key|content-type|value` a message. */
function consume(address: string, topic: string, count: number): Promise<string[]> {
  const args = ['-C', '-b', address, '-t', topic, '-c', String(count), '-f', '%k|%h|%s\\n', '-q'];
  const child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => child.on('close', () => resolve(text.trim().split('\n').sort())));
}

function eventOf(id: string, unit: string | null): Buffer {
  return Buffer.from(JSON.stringify({ specversion: '1.0', id, data: { unit, text: 'é' } }));
}

function destinationOf(brokers: string, timeoutMs = 30_000): KafkaDestination {
  return new KafkaDestination({
    brokers: [brokers],
    topic: 'exposures',
    isTls: false,
    sasl: null,
    timeoutMs,
  });
}

describe.skipIf(!hasKcat)('events to Kafka', () => {
  test('are messages with the unit as their key and the CloudEvent as their value', async () => {
    const address = await startBrokers();
    const destination = destinationOf(address);
    const events = [eventOf('1', 'abc'), eventOf('2', null), eventOf('3', 'abc')];
    expect(await destination.send(events, NEVER)).toEqual({ kind: 'taken' });
    expect(await destination.send([eventOf('4', 'abc')], NEVER)).toEqual({ kind: 'taken' });
    await destination.close();
    const type = 'content-type=application/cloudevents+json; charset=utf-8';
    expect(await consume(address, 'exposures', 4)).toEqual([
      `abc|${type}|${eventOf('1', 'abc')}`,
      `abc|${type}|${eventOf('3', 'abc')}`,
      `abc|${type}|${eventOf('4', 'abc')}`,
      `|${type}|${eventOf('2', null)}`,
    ]);
  });

  test('that no broker takes are for later, and are taken when one is there again', async () => {
    const destination = destinationOf('127.0.0.1:1', 500);
    expect(await destination.send([eventOf('1', 'abc')], NEVER)).toMatchObject({ kind: 'later' });
    await destination.close();
  });

  test('that are under way when the brokers go are for later', async () => {
    const address = await startBrokers();
    // Passes once, and is longer than a machine pauses while the brokers are there.
    const destination = destinationOf(address, 4000);
    expect(await destination.send([eventOf('1', 'abc')], NEVER)).toEqual({ kind: 'taken' });
    await standStill(broker!.pid!);
    expect(await destination.send([eventOf('2', 'abc')], NEVER)).toEqual({
      kind: 'later',
      problem: expect.stringMatching(/^the brokers did not take them \([A-Z_]+\)$/) as string,
    });
    broker!.kill('SIGCONT');
    expect(await destination.send([eventOf('2', 'abc')], NEVER)).toEqual({ kind: 'taken' });
    await destination.close();
  });
});
