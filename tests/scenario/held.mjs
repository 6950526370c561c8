// A thousand connections with ten open calls each: what they cost, that each
// call is answered in the end, and that the memory comes back.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as h2 from '../support/rawh2.mjs';

const CONNECTIONS = 1000, CALLS = 10, KIB_BACK = { release: 4096, sanitized: 65536 };

// Figures are those of the release build, when there is one of these sources.
function release() {
	const root = fileURLToPath(new URL('../..', import.meta.url));
	const program = path.join(root, 'build', 'bin', 'executord');
	const sources = ['proto', 'server', 'election'].flatMap(d => fs.readdirSync(path.join(root, d), { recursive: true })
		.filter(f => /\.[ch]$/.test(f)).map(f => path.join(root, d, f)));
	const age = file => fs.statSync(file).mtimeMs;
	return fs.existsSync(program) && sources.every(f => age(f) <= age(program)) ? path.dirname(program) : null;
}

const fast = release();
if (fast)
	process.env.EXECUTOR_BIN = fast;
process.env.ASAN_OPTIONS ??= 'quarantine_size_mb=4:thread_local_quarantine_size_kb=64';
const { assert, bounded, same, scenarios, until } = await import('../support/harness.mjs');
const { load } = await import('../support/health.mjs');
const { default: grpc } = await import('@grpc/grpc-js');

const admin = load('executor/admin/v1/admin.proto').executor.admin.v1;
const rss = pid => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);

async function counters(hub) {
	const client = new admin.AdminService(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
	const status = await bounded(new Promise((done, fail) => client.GetStatus({}, (error, answer) => error ? fail(error) : done(answer))), 'GetStatus');
	client.close();
	return [status.counters.connections - 1, status.counters.streams - 1];
}

const rest = async (hub, want) => {
	await until(`${want} connections and calls`, async () => JSON.stringify(await counters(hub)) === JSON.stringify(want));
};

const stream = i => 2 * i + 1;
const each = make => Buffer.concat(Array.from({ length: CALLS }, (_, i) => make(stream(i))));

// Some at a time: a listener's queue is not endless.
async function connect(hub) {
	const all = [];
	while (all.length < CONNECTIONS) {
		const some = Array.from({ length: 50 }, () => new h2.Raw({ path: hub.socket() }));
		await Promise.all(some.map(raw => raw.settled(h2.hello)));
		all.push(...some);
	}
	return all;
}

async function crowd(hub, pid) {
	const empty = rss(pid);
	const all = await connect(hub);
	await rest(hub, [CONNECTIONS, 0]);
	const idle = rss(pid);
	const open = each(id => h2.frame(h2.HEADERS, h2.END_HEADERS, id, h2.request('/grpc.health.v1.Health/Check')));
	await Promise.all(all.map(raw => raw.settled(open)));
	await rest(hub, [CONNECTIONS, CONNECTIONS * CALLS]);
	const held = rss(pid);
	const end = each(id => h2.frame(h2.DATA, h2.END_STREAM, id, h2.message(Buffer.alloc(0))));
	for (const raw of all)
		raw.write(end);
	const answered = await Promise.all(all.map(raw => raw.until(() => raw.ended.size === CALLS)));
	assert(answered.every(Boolean), 'a connection was closed before its calls were answered');
	assert(all.every(raw => raw.resets.size === 0 && raw.goaway === null), 'a call was reset');
	await Promise.all(all.map(raw => raw.close()));
	await rest(hub, [0, 0]);
	return { connection: (idle - empty) / CONNECTIONS, call: (held - idle) / (CONNECTIONS * CALLS) };
}

await scenarios({
	async a_thousand_connections_with_ten_calls_each(hub) {
		await hub.ok('endpoint');
		const pid = hub.daemons()[0];
		await bounded(crowd(hub, pid), 'the first crowd'); // what is made once is made now
		const before = rss(pid);
		const cost = await bounded(crowd(hub, pid), 'the second crowd');
		const back = fast ? KIB_BACK.release : KIB_BACK.sanitized;
		let after;
		await until('memory is given back', () => (after = rss(pid)) < before + back);
		console.log(`     ${fast ? 'release build' : 'this build, which no figure should be taken from'}: an idle connection ${
			cost.connection.toFixed(1)} KiB, an open call ${cost.call.toFixed(2)} KiB; ${before} KiB before, ${after} KiB after`);
	},
});
