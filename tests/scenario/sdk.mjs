// The official SDK's client over the adapter, in front of real servers.
import fs from 'node:fs';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
	LoggingMessageNotificationSchema, ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { assert, bin, bounded, filesystem, same, scenarios, until } from '../support/harness.mjs';

async function connect(hub) {
	const client = new Client({ name: 'sdk', version: '1' }, { capabilities: {} });
	client.seen = { changed: 0, logged: 0 };
	client.setNotificationHandler(ToolListChangedNotificationSchema, () => { client.seen.changed++; });
	client.setNotificationHandler(LoggingMessageNotificationSchema, () => { client.seen.logged++; });
	await client.connect(new StdioClientTransport({
		command: path.join(bin, 'executor-mcp-adapter'), env: hub.env, stderr: 'ignore',
	}));
	return client;
}

const text = result => result.content[0].text;

await scenarios({
	async everything_through_one_daemon(hub) {
		await hub.addEverything();
		const client = await connect(hub);
		same(client.getServerVersion().name, 'executor', 'server name');
		await client.ping();
		const { tools } = await client.listTools();
		const names = tools.map(t => t.name);
		for (const name of names)
			assert(/^[A-Za-z0-9_-]{1,48}$/.test(name), `exposed name ${name}`);
		assert(names.includes('everything__echo'), `tools: ${names}`);
		assert(names.includes('executor__status'), `built-in tools: ${names}`);

		same(text(await client.callTool({
			name: 'everything__echo', arguments: { message: 'héllo 🌍' },
		})), 'Echo: héllo 🌍', 'echo');
		assert(text(await client.callTool({
			name: 'everything__get-sum', arguments: { a: 2, b: 40 },
		})).includes('42'), 'get-sum');

		// Progress comes to the one who asked, and before the result.
		const steps = [];
		await client.callTool({
			name: 'everything__trigger-long-running-operation',
			arguments: { duration: 1, steps: 3 },
		}, undefined, { onprogress: p => steps.push(p.progress) });
		assert(steps.length >= 2 && steps.every((s, i) => i === 0 || s > steps[i - 1]),
			`progress ${steps}`);

		// A tool's own error is a result, an unknown tool is an error.
		const bad = await client.callTool({ name: 'everything__get-sum', arguments: { a: 'x' } });
		assert(bad.isError, `bad arguments: ${JSON.stringify(bad)}`);
		const unknown = await client.callTool({ name: 'everything__nothing', arguments: {} })
			.then(() => null, error => error);
		same(unknown?.code, -32602, 'unknown tool');
		await client.close();
	},

	async files_through_one_daemon(hub) {
		const dir = path.join(hub.root, 'files');
		fs.mkdirSync(dir);
		fs.writeFileSync(path.join(dir, 'a.txt'), 'the contents');
		await hub.addSource('fs', process.execPath, filesystem, dir);
		const client = await connect(hub);
		const { tools } = await client.listTools();
		assert(tools.some(t => t.name === 'fs__read_text_file'), tools.map(t => t.name).join());
		same(text(await client.callTool({
			name: 'fs__read_text_file', arguments: { path: path.join(dir, 'a.txt') },
		})), 'the contents', 'file');
		assert((await client.callTool({
			name: 'fs__read_text_file', arguments: { path: '/etc/hostname' },
		})).isError, 'outside of the allowed directory');
		await client.close();
	},

	async a_cancelled_call_hears_nothing_and_others_go_on(hub) {
		await hub.addEverything();
		const [a, b] = [await connect(hub), await connect(hub)];
		const stop = new AbortController();
		const slow = { name: 'everything__trigger-long-running-operation', arguments: { duration: 2, steps: 4 } };
		let progress;
		const started = new Promise(done => { progress = done; });
		const cancelled = a.callTool(slow, undefined, { signal: stop.signal, onprogress: () => progress() })
			.then(() => 'answered', () => 'aborted');
		const other = b.callTool(slow, undefined, { onprogress: () => {} });
		await bounded(started, 'progress of the call to be cancelled');
		stop.abort();
		same(await cancelled, 'aborted', 'the cancelled call');
		assert(text(await other).includes('completed'), 'the call of the other client');
		same(text(await a.callTool({ name: 'everything__echo', arguments: { message: 'on' } })),
			'Echo: on', 'the next call of the first client');
		await a.close();
		await b.close();
	},

	async a_source_added_later_is_announced(hub) {
		const client = await connect(hub);
		assert((await client.listTools()).tools.every(t => t.name.startsWith('executor__')), 'only the built-in tools');
		await hub.addEverything();
		await until('tools/list_changed', () => client.seen.changed > 0);
		await until('the new tools', async () =>
			(await client.listTools()).tools.some(t => t.name === 'everything__echo'));
		await hub.ok('source', 'remove', 'everything');
		await until('the tools are gone', async () =>
			!(await client.listTools()).tools.some(t => t.name === 'everything__echo'));
		await client.close();
	},

	async a_restarted_daemon_serves_the_catalogue_at_once(hub) {
		await hub.addEverything();
		const first = await connect(hub);
		const before = (await first.listTools()).tools;
		await first.close();
		await hub.ok('daemon', 'stop');
		const again = await connect(hub);
		same((await again.listTools()).tools, before, 'the same tools after a restart');
		await again.close();
	},
});
