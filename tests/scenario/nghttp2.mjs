// nghttp2's own clients against the daemon: a health check is a request like
// any other, and each has its status.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, same, scenarios, until } from '../support/harness.mjs';
import { message } from '../support/rawh2.mjs';

const CHECK = '/grpc.health.v1.Health/Check';

// A daemon with a port, which nghttp needs; and the token for it.
async function port(hub) {
	const child = spawn(path.join(bin, 'executord'), ['--data-dir', hub.dir, '--listen', '127.0.0.1:0'],
		{ env: hub.env, cwd: hub.root, stdio: 'ignore' });
	await until('it serves', () => fs.existsSync(hub.socket()) || child.exitCode !== null);
	const token = fs.readFileSync(path.join(hub.dir, 'token'), 'latin1').trim();
	return { base: hub.manifest().tcp_url, allowed: ['-H', `authorization: Bearer ${token}`] };
}

function body(hub, bytes) {
	const file = path.join(hub.root, `body-${bytes.length}`);
	fs.writeFileSync(file, message(bytes));
	return file;
}

await scenarios({
	async h2load_has_every_request_answered(hub) {
		const { base, allowed } = await port(hub);
		const file = body(hub, Buffer.alloc(0));
		const socket = ['-B', `unix:${hub.socket()}`, `http://localhost${CHECK}`];
		const tcp = [...allowed, base + CHECK];
		for (const [connections, streams, where] of [[1, 1, socket], [1, 32, socket], [8, 32, socket], [8, 32, tcp]]) {
			const r = await hub.run('h2load', [
				'-n', '1000', '-c', String(connections), '-m', String(streams),
				'-d', file, '-H', 'content-type: application/grpc', '-H', 'te: trailers', ...where]);
			same(r.code, 0, `h2load: ${r.out}${r.err}`);
			const [, total, , , good] = /requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded/.exec(r.out) ?? [];
			same([total, good], ['1000', '1000'], r.out);
			const codes = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(r.out).slice(1);
			same(codes, ['1000', '0', '0', '0'], 'HTTP statuses');
		}
	},

	async nghttp_sees_the_status_of_each_call(hub) {
		// A name that is not known: field 1, "x".
		const files = [body(hub, Buffer.alloc(0)), body(hub, Buffer.from([0x0a, 1, 0x78]))];
		const { base, allowed } = await port(hub);
		const run = async (file, url, ...more) => {
			const r = await hub.run('nghttp', [
				'-v', '-m', '20', '-H', ':method: POST', '-H', 'content-type: application/grpc', '-H', 'te: trailers',
				'-d', file, ...allowed, ...more, url]);
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
	},
});
