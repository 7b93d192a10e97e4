/**
 * The example in config/kubernetes against the API's own schema, and against what a sidecar needs.
 * No API server is asked: admission and scheduling are not tested.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../src/config/parse.ts';

const FOLDER = join(import.meta.dirname, '../config/kubernetes');
const MODELS = { Deployment, ConfigMap, Secret, Service };

function read(name: string): Record<string, unknown> & { kind: keyof typeof MODELS } {
  return parse(readFileSync(join(FOLDER, name), 'utf8'));
}

function validate(document: ReturnType<typeof read>): void {
  const Model = MODELS[document.kind] as new (json: never) => { validate(): void };
  new Model(document as never).validate();
}

describe('config/kubernetes', () => {
  test.each(readdirSync(FOLDER).filter((name) => name.endsWith('.yaml')))(
    '%s fits the schema of the API',
    (name) => {
      expect(() => validate(read(name))).not.toThrow();
    },
  );

  test('the check fails on a field that is not there and on a wrong type', () => {
    const service = read('service.yaml');
    expect(() => validate({ ...service, spec: { ports: [{ prot: 80 }] } })).toThrow();
    expect(() => validate({ ...service, spec: { ports: 'http' } })).toThrow();
  });

  const pod = new Deployment(read('deployment.yaml') as never).spec!.template.spec!;
  const sidecar = pod.initContainers!.find((container) => container.name === 'fairlead')!;

  test('the sidecar is a native one with a startup probe', () => {
    expect(sidecar.restartPolicy).toBe('Always');
    expect(sidecar.startupProbe!.httpGet!.path).toBe('/startupz');
    expect(sidecar.readinessProbe!.httpGet!.path).toBe('/readyz');
    expect(sidecar.livenessProbe!.httpGet!.path).toBe('/livez');
  });

  test('the sidecar may do nothing that it does not need', () => {
    expect(sidecar.securityContext).toEqual({
      runAsUser: 10153,
      runAsGroup: 10153,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });

  test('its configuration is valid, and the pod outlives the drain', () => {
    const text = new ConfigMap(read('configmap.yaml') as never).data!['fairlead.yaml']!;
    expect(parseConfig(text, 'fairlead.yaml').issues).toEqual([]);
    const { drain } = parse(text) as { drain: { delay: string; timeout: string } };
    const drainSeconds = Number.parseInt(drain.delay, 10) + Number.parseInt(drain.timeout, 10);
    expect(drainSeconds).toBe(35);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drainSeconds);
  });

  test('every volume that is mounted exists', () => {
    const volumes = pod.volumes!.map((volume) => volume.name);
    const mounts = sidecar.volumeMounts!.map((mount) => mount.name);
    expect(mounts.filter((name) => !volumes.includes(name))).toEqual([]);
    expect(mounts).toHaveLength(3);
  });
});
