// The Inspector's command line and mcporter: clients that start the adapter,
// ask one thing, and end it.
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, modules, same, scenarios } from '../support/harness.mjs';

const adapter = path.join(bin, 'executor-mcp-adapter');

// Both want node 22; `./dev setup` puts one there where the machine's is older.
function newNode() {
	if (Number(process.versions.node.split('.')[0]) >= 22)
		return process.execPath;
	const own = path.join(modules, '..', '..', 'build', 'node', 'node_modules',
		`node-linux-${process.arch}`, 'bin', 'node');
	return fs.existsSync(own) ? own : null;
}

const node = newNode();
if (!node) {
	console.log('skipped: needs node 22 (./dev setup)');
	process.exit(0);
}

function inspect(hub, ...args) {
	const program = path.join(modules, '.bin', 'mcp-inspector');
	return hub.run(node, [program, '--cli', '--protocol-era', 'legacy', '--format', 'json',
		'-q', adapter, ...args], { env: { ...hub.env, DO_NOT_TRACK: '1' } });
}

async function inspected(hub, ...args) {
	const r = await inspect(hub, ...args);
	assert(r.code === 0, `${args.join(' ')}: ${r.code}\n${r.out}${r.err}`);
	return JSON.parse(r.out).result;
}

await scenarios({
	async the_inspector_lists_and_calls(hub) {
		await hub.addEverything('ev');
		const { tools } = await inspected(hub, '--method', 'tools/list');
		assert(tools.some(t => t.name === 'ev__echo'), JSON.stringify(tools).slice(0, 500));
		const sum = await inspected(hub, '--method', 'tools/call', '--tool-name', 'ev__get-sum',
			'--tool-arg', 'a=2', '--tool-arg', 'b=40');
		assert(sum.content[0].text.includes('42'), JSON.stringify(sum));
		const bad = await inspect(hub, '--method', 'tools/call', '--tool-name', 'ev__nothing');
		assert(bad.code !== 0, 'an unknown tool fails');
		same(hub.daemons().length, 1, 'one daemon, which outlives every client');
	},

	// It waits for the end of whoever holds its pipes: the daemon must not.
	async the_inspector_starts_the_daemon_and_leaves(hub) {
		same(hub.daemons().length, 0, 'no daemon yet');
		const { tools } = await inspected(hub, '--method', 'tools/list');
		assert(tools.every(t => t.name.startsWith('executor__')), 'the built-in tools');
		same(hub.daemons().length, 1, 'a daemon');
	},

	async mcporter_lists_and_calls(hub) {
		await hub.addEverything('ev');
		const mcporter = async (...args) => {
			const r = await hub.run(node, [path.join(modules, '.bin', 'mcporter'), ...args],
				{ env: { ...hub.env, DO_NOT_TRACK: '1' } });
			assert(r.code === 0, `${args.join(' ')}: ${r.code}\n${r.out}${r.err}`);
			return r.out;
		};
		const listed = await mcporter('list', '--stdio', adapter, '--json');
		assert(listed.includes('ev__echo'), listed.slice(0, 1000));
		const sum = await mcporter('call', '--stdio', adapter, 'ev__get-sum', 'a=2', 'b=40');
		assert(sum.includes('42'), sum);
		same(hub.daemons().length, 1, 'one daemon');
	},
});
