/**
 * A service with a knee, for `bench/overload.ts`: so many places, each of which has a request for so many milliseconds,
 * and a queue without end in front of them. Run: node knee.ts PORT PLACES MILLISECONDS
 */
import { createServer, type Socket } from 'node:net';

const [port, places, serviceMs] = process.argv.slice(2).map(Number) as [number, number, number];
const queue: Socket[] = [];
let busy = 0;

function begin(socket: Socket): void {
  busy++;
  setTimeout(() => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    busy--;
    const next = queue.shift();
    if (next !== undefined) begin(next);
  }, serviceMs);
}

createServer({ noDelay: true }, (socket) => {
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  socket.on('data', (text: string) => {
    for (let at = text.indexOf('\r\n\r\n'); at >= 0; at = text.indexOf('\r\n\r\n', at + 4)) {
      if (busy < places) begin(socket);
      else queue.push(socket);
    }
  });
}).listen(port, '127.0.0.1');
