// What ./dev demo shows: N adapters at once on a cold and on a warm hub, in
// front of a real MCP server.  usage: demo.mjs BIN_DIR N
import fs from 'node:fs';
import path from 'node:path';

process.env.EXECUTOR_BIN = path.resolve(process.argv[2]);
const n = Number(process.argv[3] ?? 6);
const { Hub, assert } = await import('../support/harness.mjs');
const { serving } = await import('../support/health.mjs');

const say = text => console.log(text);

// One client: initialize, tools/list, one call with a value of its own.
async function client(hub, value) {
	const adapter = hub.adapter();
	await adapter.initialize();
	const tools = await adapter.tools();
	assert(tools.includes('everything__echo'), `no echo among ${tools}`);
	const m = await adapter.call('everything__echo', { message: value });
	return m.result?.content?.[0]?.text === `Echo: ${value}`;
}

function manifests(dir) {
	return fs.readdirSync(dir, { recursive: true })
		.filter(f => path.basename(String(f)) === 'manifest').length;
}

// A wave of n at once; every figure is counted from the outside.
async function wave(hub, name) {
	const before = hub.daemons();
	const epoch = Number(hub.manifest()?.epoch ?? hub.epoch ?? 0);
	const started = Date.now();
	const done = await Promise.allSettled(
		Array.from({ length: n }, (_, i) => client(hub, `${name}-${i}`)));
	const ms = Date.now() - started;
	for (const d of done)
		if (d.status === 'rejected')
			say(`  ${d.reason.message}`);
	const ok = done.filter(d => d.status === 'fulfilled' && d.value).length;
	const after = hub.daemons();
	const elected = after.filter(pid => !before.includes(pid)).length;
	const epochs = Number(hub.manifest()?.epoch ?? 0) - epoch;
	say(`  ${n} adapters answered in ${ms} ms by daemon ${after.join(', ')}, epoch ${hub.manifest()?.epoch}`);
	// A daemon that came and went would show as an epoch of its own.
	const spawned = Math.max(elected, epochs);
	const health = await serving(hub.socket()) ? 200 : 503;
	return `${name}  ok=${ok} n=${n} spawned=${spawned} manifests=${manifests(hub.dir)} health=${health}`;
}

const hub = new Hub();
try {
	say(`data directory ${hub.dir}`);
	say('executor source add everything -- node .../server-everything');
	await hub.addEverything();
	process.stdout.write(await hub.ok('tools', 'list'));
	hub.epoch = Number(hub.manifest()?.epoch ?? 0);
	say('executor daemon stop');
	await hub.ok('daemon', 'stop');
	assert(hub.daemons().length === 0, 'a daemon is still there');

	const lines = [await wave(hub, 'cold'), await wave(hub, 'warm')];
	process.stdout.write(await hub.ok('status'));
	await hub.finish();
	say('stopped; nothing is left behind');
	lines.forEach(say);
	const good = name =>
		`${name}  ok=${n} n=${n} spawned=${name === 'cold' ? 1 : 0} manifests=1 health=200`;
	process.exit(lines[0] === good('cold') && lines[1] === good('warm') ? 0 : 1);
} catch (error) {
	console.error(error.stack);
	hub.abandon();
	process.exit(1);
}
