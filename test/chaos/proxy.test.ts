/** The proxy: carries bytes, goes half-open without telling either side, and heals for new connections alone. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ChaosProxy } from './proxy.ts';

async function echoing() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await ChaosProxy.open({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return proxy;
}

async function answer(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

test('a half-open connection stays open and silent, also after healing; a new one works again', async () => {
  const proxy = await echoing();
  const before = connect(proxy.port, '127.0.0.1');
  expect(await answer(before, 'one')).toBe('one');
  const heard: string[] = [];
  before.on('data', (data: Buffer) => heard.push(data.toString()));
  before.on('close', () => heard.push('closed'));
  proxy.halfOpen();
  before.write('two');
  const during = connect(proxy.port, '127.0.0.1');
  await once(during, 'connect');
  proxy.heal();
  const after = connect(proxy.port, '127.0.0.1');
  expect(await answer(after, 'three')).toBe('three');
  before.write('four');
  expect(await answer(after, 'five')).toBe('five');
  expect(heard).toEqual([]);
  expect(before.destroyed).toBe(false);
  for (const socket of [before, during, after]) socket.destroy();
});
