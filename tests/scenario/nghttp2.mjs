// nghttp2's own clients against the daemon: a health check is a request like
// any other, and each has its status.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { assert, same, scenarios } from '../support/harness.mjs';
import { message } from '../support/rawh2.mjs';

const CHECK = '/grpc.health.v1.Health/Check';

// nghttp knows no unix sockets: a port that leads to one.
async function port(hub) {
	const server = net.createServer(from => {
		const to = net.connect(hub.socket());
		for (const [a, b] of [[from, to], [to, from]]) {
			a.on('error', () => {});
			a.pipe(b);
		}
	});
	await new Promise(done => server.listen(0, '127.0.0.1', done));
	return server;
}

async function body(hub, bytes) {
	const file = path.join(hub.root, `body-${bytes.length}`);
	fs.writeFileSync(file, message(bytes));
	await hub.ok('endpoint');
	return file;
}

await scenarios({
	async h2load_has_every_request_answered(hub) {
		const file = await body(hub, Buffer.alloc(0));
		for (const [connections, streams] of [[1, 1], [1, 32], [8, 32]]) {
			const r = await hub.run('h2load', [
				'-B', `unix:${hub.socket()}`, '-n', '1000', '-c', String(connections), '-m', String(streams),
				'-d', file, '-H', 'content-type: application/grpc', '-H', 'te: trailers', `http://localhost${CHECK}`]);
			same(r.code, 0, `h2load: ${r.out}${r.err}`);
			const [, total, , , good] = /requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded/.exec(r.out) ?? [];
			same([total, good], ['1000', '1000'], r.out);
			const codes = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(r.out).slice(1);
			same(codes, ['1000', '0', '0', '0'], 'HTTP statuses');
		}
	},

	async nghttp_sees_the_status_of_each_call(hub) {
		// A name that is not known: field 1, "x".
		const files = [await body(hub, Buffer.alloc(0)), await body(hub, Buffer.from([0x0a, 1, 0x78]))];
		const server = await port(hub);
		const base = `http://127.0.0.1:${server.address().port}`;
		const run = async (file, url, ...more) => {
			const r = await hub.run('nghttp', [
				'-v', '-m', '20', '-H', ':method: POST', '-H', 'content-type: application/grpc', '-H', 'te: trailers',
				'-d', file, ...more, url]);
			same(r.code, 0, `nghttp: ${r.err}`);
			return r.out;
		};
		const statuses = out => [...out.matchAll(/grpc-status: (\d+)/g)].map(m => m[1]).join(' ');
		const twenty = code => Array(20).fill(code).join(' ');
		const good = await run(files[0], base + CHECK);
		same(statuses(good), twenty(0), 'a health check');
		same(statuses(await run(files[1], base + CHECK)), twenty(5), 'of an unknown service');
		same(statuses(await run(files[0], `${base}/no.such.Service/Method`)), twenty(12), 'an unknown method');
		const odd = await run(files[0], base + CHECK, '-b', '100', '-w', '14', '-W', '14', '--no-dep');
		same(statuses(odd), twenty(0), 'padding and small windows');
		// 16 KiB of headers, in CONTINUATION frames.
		const large = await run(files[0], base + CHECK, '--continuation');
		same(statuses(large), twenty(8), 'large headers');
		assert(!/RST_STREAM|error_code=(?!NO_ERROR)/.test(good + odd), 'nothing is reset');
		server.close();
	},
});
