// Real MCP servers, small and large, behind one hub at once.
// Numbers are those of the cases in the list of black-box tests.
import fs from 'node:fs';
import path from 'node:path';
import { assert, everything, filesystem, modules, same, scenarios, until } from '../support/harness.mjs';

const official = name => path.join(modules, '@modelcontextprotocol', name, 'dist', 'index.js');

// The script that the package of that name starts by that name.
function program(name, bin = name) {
	const dir = path.join(modules, name);
	const its = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'))).bin;
	return path.join(dir, typeof its === 'string' ? its : its[bin]);
}

// Name, how many tools it has at least, one of them, and a call without harm
// whose answer holds a text.
function servers(hub) {
	const files = path.join(hub.root, 'files');
	fs.mkdirSync(files);
	fs.writeFileSync(path.join(files, 'a.txt'), 'the contents');
	return [
		{
			name: 'everything', argv: [everything], tools: 12,
			call: ['echo', { message: 'héllo' }, 'Echo: héllo'],
		}, {
			name: 'files', argv: [filesystem, files], tools: 12,
			call: ['read_text_file', { path: path.join(files, 'a.txt') }, 'the contents'],
		}, {
			name: 'memory', argv: [official('server-memory')], tools: 9,
			env: { MEMORY_FILE_PATH: path.join(hub.root, 'memory.jsonl') },
			call: ['read_graph', {}, 'entities'],
		}, {
			name: 'thinking', argv: [official('server-sequential-thinking')], tools: 1,
			call: ['sequentialthinking', {
				thought: 'one', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1,
			}, 'thoughtHistoryLength'],
		}, {
			name: 'mongodb', argv: [program('mongodb-mcp-server')], tools: 20,
			env: { MDB_MCP_TELEMETRY: 'disabled', DO_NOT_TRACK: '1' },
			// There is no database: it says so, as a result of its own.
			call: ['list-databases', {}, 'connect'],
		}, {
			name: 'chrome', tools: 20,
			argv: [program('chrome-devtools-mcp'), '--headless', '--isolated',
				'--no-usage-statistics', '--executablePath', '/no/such/browser'],
			env: { CI: '1', CHROME_DEVTOOLS_MCP_NO_UPDATE_CHECKS: '1' },
			// There is no browser either.
			call: ['list_pages', {}, 'rowser'],
		},
	];
}

await scenarios({
	async six_real_servers_behind_one_hub(hub) {
		const all = servers(hub);
		for (const { name, argv, env = {} } of all)
			await hub.ok('source', 'add', name, '--env', `HOME=${hub.home}`,
				...Object.entries(env).flatMap(([k, v]) => ['--env', `${k}=${v}`]),
				'-q', '--', process.execPath, ...argv);
		const adapter = hub.adapter();
		await adapter.initialize();
		// Some take longer than a first list waits.
		let listed = [];
		const count = name => listed.filter(n => n.startsWith(`${name}__`)).length;
		await until('the tools of all of them', async () => {
			listed = await adapter.tools();
			return all.every(s => count(s.name) >= s.tools);
		});
		for (const name of listed)
			assert(/^[A-Za-z0-9_-]{1,48}$/.test(name), `exposed name ${name}`);
		same(new Set(listed).size, listed.length, 'every name once');
		console.log(`     ${listed.length} tools: ${all.map(s => `${s.name} ${count(s.name)}`).join(', ')}`);

		await Promise.all(all.map(async ({ name, call: [tool, args, holds] }) => {
			const m = await adapter.call(`${name}__${tool}`, args);
			assert(m.result, `${name}: ${JSON.stringify(m)}`);
			const text = m.result.content.map(c => c.text ?? '').join();
			assert(text.includes(holds), `${name}: ${text.slice(0, 300)}`);
		}));
	},

	async what_one_client_remembers_the_other_reads(hub) {
		await hub.ok('source', 'add', 'memory', '-q',
			'--env', `MEMORY_FILE_PATH=${path.join(hub.root, 'memory.jsonl')}`,
			'--', process.execPath, official('server-memory'));
		const [a, b] = [hub.adapter(), hub.adapter()];
		await Promise.all([a, b].map(c => c.initialize()));
		await Promise.all([a, b].map(c => c.tools()));
		const made = await a.call('memory__create_entities', {
			entities: [{ name: 'Zoë', entityType: 'person', observations: ['from the first client'] }],
		});
		assert(made.result && !made.result.isError, JSON.stringify(made));
		const read = await b.call('memory__search_nodes', { query: 'Zoë' });
		same(read.result.structuredContent.entities[0].observations,
			['from the first client'], 'what the second client reads');
		same(hub.daemons().length, 1, 'one daemon');
	},

	// 17 (without roots of a client, which are not passed on)
	// 17
	async directories_of_a_shared_server_are_the_users(hub) {
		const dir = path.join(hub.root, 'files');
		fs.mkdirSync(dir);
		await hub.addSource('files', process.execPath, filesystem, dir);
		for (const [name, roots] of [['A', { roots: { listChanged: true } }], ['B', {}]]) {
			const adapter = hub.adapter();
			await adapter.ask('initialize', {
				protocolVersion: '2025-11-25', capabilities: roots,
				clientInfo: { name, version: '1' },
			});
			adapter.notify('notifications/initialized');
			await adapter.tools();
			const m = await adapter.call('files__list_allowed_directories');
			assert(m.result.content[0].text.includes(dir), JSON.stringify(m));
		}
	},
});
