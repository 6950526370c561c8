// Several scripted servers behind one hub: names, lists, URIs and completion.
// Numbers are those of the cases in the list of black-box tests.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, same, scenarios, until } from '../support/harness.mjs';

const scripted = fileURLToPath(new URL('../support/scripted.mjs', import.meta.url));

const add = (hub, name, script, ...options) => hub.ok('source', 'add', name, ...options,
	'--', process.execPath, scripted, JSON.stringify({ name, ...script }));

const kinds = {
	'tools/list': 'tools', 'prompts/list': 'prompts', 'resources/list': 'resources',
	'resources/templates/list': 'resourceTemplates',
};

async function result(adapter, method, params = {}) {
	const m = await adapter.ask(method, params);
	assert(m.result, `${method}: ${JSON.stringify(m)}`);
	return m.result;
}

// Names or URIs of a kind, without the hub's own tools.
async function listed(adapter, method) {
	const items = (await result(adapter, method))[kinds[method]];
	return items.map(i => i.uriTemplate ?? i.uri ?? i.name).filter(n => !n.startsWith('executor__'));
}

async function connected(hub) {
	const adapter = hub.adapter();
	await adapter.initialize();
	return adapter;
}

const told = (adapter, method) => adapter.notifications.filter(m => m.method === method);

await scenarios({
	// 37
	async one_name_of_two_servers_is_two_names_for_ever(hub) {
		await add(hub, 'one', { tools: ['search'], prompts: ['search'] });
		await add(hub, 'two', { tools: ['search'], prompts: ['search'] });
		const a = await connected(hub);
		same(await listed(a, 'tools/list'), ['one__search', 'two__search'], 'two names');
		for (const name of ['one', 'two']) {
			same((await a.call(`${name}__search`)).result.content[0].text, `${name} search`, 'a tool');
			const prompt = await result(a, 'prompts/get', { name: `${name}__search` });
			same(prompt.messages[0].content.text, `${name} search`, 'a prompt');
		}
		await add(hub, 'three', { tools: ['search', 'one__search'] });
		await until('the third', async () => (await listed(a, 'tools/list')).length === 4);
		same((await listed(a, 'tools/list')).slice(0, 2), ['one__search', 'two__search'], 'the same names');
		same((await a.call('one__search')).result.content[0].text, 'one search', 'the same tool');
	},

	// 38
	async long_names_are_cut_told_apart_and_kept(hub) {
		const tools = ['x', 'y', 'z'].map(c => 'n'.repeat(60) + c.repeat(10));
		await add(hub, 'long', { tools });
		const a = await connected(hub);
		const names = await listed(a, 'tools/list');
		same(new Set(names).size, 3, 'three names');
		for (const [i, name] of names.entries()) {
			assert(/^[A-Za-z0-9_-]{1,64}$/.test(name), name);
			same((await a.call(name)).result.content[0].text, `long ${tools[i]}`, 'its own tool');
		}
		await hub.ok('daemon', 'stop');
		same(await listed(a, 'tools/list'), names, 'after a restart');
		same((await a.call(names[2])).result.content[0].text, `long ${tools[2]}`, 'after a restart');
	},

	// 39
	async one_uri_of_two_servers_can_be_read_from_both(hub) {
		await add(hub, 'one', { resources: ['same://x'], templates: ['same://{y}'] });
		await add(hub, 'two', { resources: ['same://x'], templates: ['same://{y}'] });
		const a = await connected(hub);
		const uris = await listed(a, 'resources/list');
		same(uris.length, 2, uris.join());
		for (const [i, name] of ['one', 'two'].entries()) {
			const { contents } = await result(a, 'resources/read', { uri: uris[i] });
			same(contents, [{ uri: uris[i], text: name }], 'the right one, under the URI that was read');
		}
	},

	// 40
	async pages_come_together_in_order_and_a_bogus_cursor_is_refused(hub) {
		const names = n => Array.from({ length: n }, (_, i) => `i${i}`);
		const pages = { tools: names(7), prompts: names(5) };
		await add(hub, 'paged', { ...pages, resources: names(7).map(n => `r://${n}`), page: 2 });
		await add(hub, 'single', { tools: names(3) });
		const a = await connected(hub);
		const want = [...names(7).map(n => `paged__${n}`), ...names(3).map(n => `single__${n}`)];
		same(await listed(a, 'tools/list'), want, 'every tool once, in order');
		same(await listed(a, 'prompts/list'), names(5).map(n => `paged__${n}`), 'prompts');
		same((await listed(a, 'resources/list')).length, 7, 'resources');
		for (const method of Object.keys(kinds))
			for (const cursor of ['', 'bogus', '0-0'])
				same((await a.ask(method, { cursor })).error?.code, -32602, `${method} ${cursor}`);
	},

	// 41
	async a_list_without_end_ends_and_is_named(hub) {
		await add(hub, 'endless', { tools: ['t'], prompts: ['p'], sameCursor: 'tools' });
		await add(hub, 'other', { tools: ['t'] });
		const a = await connected(hub);
		assert((await listed(a, 'tools/list')).includes('other__t'), 'the tools of others');
		same(await listed(a, 'prompts/list'), ['endless__p'], 'its other kinds');
		assert((await hub.ok('logs')).includes('endless: tools/list comes back to the same cursor'), 'the log');
	},

	// 42
	async what_is_down_or_slow_delays_no_list_of_any_kind(hub) {
		const all = { tools: ['t'], prompts: ['t'], resources: ['r://t'], templates: ['r://{x}'] };
		await add(hub, 'good', all);
		await add(hub, 'slow', { ...all, resources: ['s://t'], templates: ['s://{x}'], delay: 7000 });
		await hub.ok('source', 'add', 'down', '--', '/bin/false');
		const a = await connected(hub);
		const good = { 'tools/list': 'good__t', 'prompts/list': 'good__t', 'resources/list': 'r://t', 'resources/templates/list': 'r://{x}' };
		const first = await Promise.all(Object.keys(good).map(method => listed(a, method)));
		for (const [i, name] of Object.values(good).entries())
			same(first[i], [name], 'what there is of those that answer');
		for (const kind of ['tools', 'prompts', 'resources'])
			await until(`${kind} changed`, () => told(a, `notifications/${kind}/list_changed`).length > 0);
		for (const method of Object.keys(kinds))
			await until(`${method} of the slow one`, async () => (await listed(a, method)).length === 2);
	},

	// 43
	async a_completion_goes_to_its_owner_under_its_own_name(hub) {
		const transcript = path.join(hub.root, 'transcript');
		const has = { prompts: ['greet'], templates: ['a://{x}'] };
		await add(hub, 'able', { ...has, completes: ['yes'] }, '--env', `TRANSCRIPT=${transcript}`);
		await add(hub, 'unable', { prompts: ['greet'], templates: ['b://{x}'] });
		const a = await connected(hub);
		await listed(a, 'prompts/list');
		const complete = async ref => (await result(a, 'completion/complete',
			{ ref, argument: { name: 'x', value: '' } })).completion.values;
		same(await complete({ type: 'ref/prompt', name: 'able__greet' }), ['yes'], 'a prompt');
		same(await complete({ type: 'ref/resource', uri: 'a://{x}' }), ['yes'], 'a template');
		same(await complete({ type: 'ref/prompt', name: 'unable__greet' }), [], 'who cannot');
		same(await complete({ type: 'ref/resource', uri: 'b://{x}' }), [], 'who cannot');
		const refs = fs.readFileSync(transcript, 'utf8').split('\n').filter(l => l.includes('completion/complete'))
			.map(l => JSON.parse(l).params.ref);
		same(refs, [{ type: 'ref/prompt', name: 'greet' }, { type: 'ref/resource', uri: 'a://{x}' }], 'what it was asked');
	},

	// 47
	async an_unknown_resource_is_told_as_its_server_says(hub) {
		await add(hub, 'one', { resources: ['one://x'], templates: ['one://{x}'] });
		const a = await connected(hub);
		await listed(a, 'resources/list');
		same((await a.ask('resources/read', { uri: 'one://missing' })).error,
			{ code: -32002, message: 'no such thing', data: { uri: 'one://missing' } }, 'its own words');
		await add(hub, 'two', { resources: ['two://x'] });
		await until('the second', async () => (await listed(a, 'resources/list')).length === 2);
		const { error } = await a.ask('resources/read', { uri: 'nobody://x' });
		same([error.code, error.data.uri], [-32002, 'nobody://x'], 'nobody has it');
	},

	// 28
	async a_change_is_told_once_to_every_client_and_read(hub) {
		await add(hub, 'one', { tools: ['say'] });
		const all = [await connected(hub), await connected(hub)];
		for (const a of all)
			await listed(a, 'tools/list');
		const method = 'notifications/tools/list_changed';
		const before = all.map(a => told(a, method).length);
		await all[0].call('one__say', { method });
		for (const [i, a] of all.entries()) {
			await until('it is told', () => told(a, method).length > before[i]);
			await a.ask('ping');
			same(told(a, method).slice(before[i]), [{ jsonrpc: '2.0', method }], 'once, and no more than that');
		}
	},

	// 30
	async of_two_subscribers_one_may_leave(hub) {
		const transcript = path.join(hub.root, 'transcript');
		const heard = method => fs.readFileSync(transcript, 'utf8').split(`"${method}"`).length - 1;
		await add(hub, 'one', { tools: ['say'], resources: ['one://x'], subscribe: true },
			'--env', `TRANSCRIPT=${transcript}`);
		const [a, b] = [await connected(hub), await connected(hub)];
		const uri = 'one://x', method = 'notifications/resources/updated';
		for (const adapter of [a, b]) {
			await listed(adapter, 'resources/list');
			await listed(adapter, 'tools/list');
			same(await result(adapter, 'resources/subscribe', { uri }), {}, 'subscribe');
		}
		same(await result(a, 'resources/unsubscribe', { uri }), {}, 'unsubscribe');
		await a.call('one__say', { method, params: { uri } });
		await until('the update', () => told(b, method).length === 1);
		await a.ask('ping');
		same(told(a, method), [], 'who left hears nothing');
		same([heard('resources/subscribe'), heard('resources/unsubscribe')], [1, 0], 'what the server hears');
		await b.close();
		await until('the last has left', () => heard('resources/unsubscribe') === 1);
	},
});
