import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { candidates, DnsFiles, parseHosts, parseSearch } from '../../../src/proxy/dns-files.ts';

let folder: string | null = null;
afterEach(() => {
  if (folder !== null) rmSync(folder, { recursive: true });
  folder = null;
});

function files(hosts: string, resolv: string) {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-dns-'));
  const paths = { hosts: join(folder, 'hosts'), resolv: join(folder, 'resolv.conf') };
  writeFileSync(paths.hosts, hosts);
  writeFileSync(paths.resolv, resolv);
  return { ...paths, files: new DnsFiles(paths.hosts, paths.resolv) };
}

describe('/etc/hosts', () => {
  test('a name has all addresses that lines give it, whatever its case', () => {
    const hosts = parseHosts(
      '127.0.0.1 localhost\n# no\n10.0.0.1\tApp app.local # two\n::1 localhost\nx app\n',
    );
    expect([...hosts]).toEqual([
      ['localhost', ['127.0.0.1', '::1']],
      ['app', ['10.0.0.1']],
      ['app.local', ['10.0.0.1']],
    ]);
  });

  test('localhost, and what is below it, is this machine even when no line says so', () => {
    const { files: local } = files('10.0.0.1 app\n', '');
    expect(local.hosts('localhost', 0)).toEqual(['127.0.0.1', '::1']);
    expect(local.hosts('app.localhost.', 0)).toEqual(['127.0.0.1', '::1']);
    expect(local.hosts('APP', 0)).toEqual(['10.0.0.1']);
    expect(local.hosts('other', 0)).toBeNull();
  });

  test('is read again when it has changed, and looked at once a second', () => {
    const { files: local, hosts } = files('10.0.0.1 app\n', '');
    expect(local.hosts('app', 0)).toEqual(['10.0.0.1']);
    writeFileSync(hosts, '10.0.0.2 app\n10.0.0.3 more\n');
    expect(local.hosts('app', 999)).toEqual(['10.0.0.1']);
    expect(local.hosts('app', 1000)).toEqual(['10.0.0.2']);
    rmSync(hosts);
    expect(local.hosts('app', 2000)).toBeNull();
  });
});

describe('/etc/resolv.conf', () => {
  test('the last of search and domain counts, and ndots', () => {
    expect(parseSearch('nameserver 10.0.0.10\nsearch a.svc svc. local\noptions timeout:1 ndots:5\n')).toEqual(
      {
        domains: ['a.svc', 'svc', 'local'],
        ndots: 5,
      },
    );
    expect(parseSearch('search a b\ndomain c ; no\n')).toEqual({ domains: ['c'], ndots: 1 });
    expect(parseSearch('')).toEqual({ domains: [], ndots: 1 });
  });

  test('a short name is looked for in the domains first, one with enough dots as it is', () => {
    const search = { domains: ['a.svc', 'svc'], ndots: 2 };
    expect(candidates('app', search)).toEqual(['app.a.svc', 'app.svc', 'app']);
    expect(candidates('app.b.svc', search)).toEqual(['app.b.svc', 'app.b.svc.a.svc', 'app.b.svc.svc']);
    expect(candidates('app.', search)).toEqual(['app']);
  });

  test('another content is another revision', () => {
    const { files: local, resolv } = files('', 'nameserver 10.0.0.1\n');
    const before = local.revision(0);
    expect(local.revision(5000)).toBe(before);
    writeFileSync(resolv, 'nameserver 10.0.0.2\nsearch svc\n');
    expect(local.revision(10_000)).not.toBe(before);
    expect(local.candidates('app', 10_000)).toEqual(['app.svc', 'app']);
  });
});
