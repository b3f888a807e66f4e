/**
 * The other end of the echo loop: answers each request of a known size with a reply of a known size,
 * all that one read brought in one write. `echo-server.js requestBytes replyBytes`; prints its port.
 */
import { createServer } from 'node:net';

const [requestBytes = 0, replyBytes = 0] = process.argv.slice(2).map(Number);
const REPLIES_MAX = 4096;
const replies = Buffer.alloc(REPLIES_MAX * replyBytes);

const server = createServer({ noDelay: true }, (socket) => {
  let rest = 0;
  socket.on('data', (chunk) => {
    const bytes = rest + chunk.length;
    const count = Math.floor(bytes / requestBytes);
    rest = bytes - count * requestBytes;
    for (let left = count; left > 0; left -= REPLIES_MAX) {
      socket.write(replies.subarray(0, Math.min(left, REPLIES_MAX) * replyBytes));
    }
  });
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(address !== null && typeof address === 'object' ? address.port : 0);
});
