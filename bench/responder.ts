/**
 * The upstreams where nginx is not installed: two ports on node:net that answer each request head with the same
 * 100 bytes. It understands just the benchmark's requests (GET without a body). `node bench/responder.ts`
 */
import { createServer } from 'node:net';
import { CANDIDATE_PORT, CONTROL_PORT } from './proxies/split.ts';

const BODY =
  '{"service":"bench","items":[1,2,3,4,5,6,7,8],"message":"one hundred bytes of an answer, as measured"}';
const ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;

for (const port of [CONTROL_PORT, CANDIDATE_PORT]) {
  createServer({ noDelay: true }, (socket) => {
    let rest = '';
    socket.setEncoding('latin1');
    socket.on('error', () => socket.destroy());
    socket.on('data', (text: unknown) => {
      const heads = (rest + String(text)).split('\r\n\r\n');
      rest = heads.pop() ?? '';
      if (heads.length > 0) socket.write(ANSWER.repeat(heads.length));
    });
  }).listen(port, '127.0.0.1');
}
