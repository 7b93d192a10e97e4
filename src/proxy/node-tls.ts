/**
 * `node:tls`, loaded by the first who has something to encrypt: with it Node loads 3 MB that a sidecar between plain
 * sockets would keep for nothing.
 */
export const nodeTls = (): typeof import('node:tls') => process.getBuiltinModule('node:tls');
