// Resources, prompts, completion and subscriptions, with the real everything
// server behind the real programs.
// Numbers are those of the cases in the list of black-box tests.
import { assert, same, scenarios, until } from '../support/harness.mjs';

async function result(adapter, method, params = {}) {
	const m = await adapter.ask(method, params);
	assert(m.result, `${method}: ${JSON.stringify(m)}`);
	return m.result;
}

const updates = (adapter, uri) => adapter.notifications.filter(m =>
	m.method === 'notifications/resources/updated' && m.params.uri === uri).length;

await scenarios({
	async every_kind_of_a_real_server_passes(hub) {
		await hub.addEverything();
		const a = hub.adapter();
		const { capabilities } = await a.initialize();
		same(capabilities.resources, { subscribe: true, listChanged: true }, 'resources');
		same(capabilities.completions, {}, 'completions');
		const { resources } = await result(a, 'resources/list');
		assert(resources.length > 0, 'no resources');
		const { contents } = await result(a, 'resources/read', { uri: resources[0].uri });
		same(contents[0].uri, resources[0].uri, 'contents');
		const { resourceTemplates } = await result(a, 'resources/templates/list');
		const template = resourceTemplates.find(t => t.uriTemplate.includes('text'));
		const uri = template.uriTemplate.replace(/\{[^}]*\}/, '1');
		same((await result(a, 'resources/read', { uri })).contents[0].uri, uri, 'template');
		const { prompts } = await result(a, 'prompts/list');
		assert(prompts.every(p => p.name.startsWith('everything__')), 'names of prompts');
		const simple = prompts.find(p => !p.arguments?.length);
		assert((await result(a, 'prompts/get', { name: simple.name })).messages.length > 0, 'prompt');
		const completable = prompts.find(p => p.name.includes('complet'));
		const { completion } = await result(a, 'completion/complete', {
			ref: { type: 'ref/prompt', name: completable.name },
			argument: { name: completable.arguments[0].name, value: '' },
		});
		assert(completion.values.length > 0, 'completion');
	},

	// 39
	async two_servers_with_the_same_resources_can_both_be_read(hub) {
		await hub.addEverything('one');
		await hub.addEverything('two');
		const a = hub.adapter();
		await a.initialize();
		const { resources } = await result(a, 'resources/list');
		const aliases = resources.filter(r => r.uri.startsWith('mcp-hub://two/'));
		same(aliases.length * 2, resources.length, 'each once, and once as an alias');
		for (const { uri } of [resources[0], aliases[0]])
			same((await result(a, 'resources/read', { uri })).contents[0].uri, uri, 'read');
	},

	async a_restarted_daemon_serves_all_kinds_at_once(hub) {
		await hub.addEverything();
		const a = hub.adapter();
		await a.initialize();
		const methods = ['resources/list', 'resources/templates/list', 'prompts/list'];
		const before = [];
		for (const method of methods)
			before.push(await result(a, method));
		assert(before.every(r => Object.values(r)[0].length > 0), 'an empty list');
		await hub.ok('daemon', 'stop');
		const b = hub.adapter();
		await b.initialize();
		for (const [i, method] of methods.entries())
			same(await result(b, method), before[i], method);
	},

	// 30
	async only_subscribers_hear_of_an_update(hub) {
		await hub.addEverything();
		const [a, b] = [hub.adapter(), hub.adapter()];
		for (const adapter of [a, b])
			await adapter.initialize();
		const { resources } = await result(a, 'resources/list');
		const uri = resources[0].uri;
		same(await result(a, 'resources/subscribe', { uri }), {}, 'subscribe');
		const toggle = (await a.tools()).find(t => /subscri/.test(t));
		await a.call(toggle);
		await until('an update', () => updates(a, uri) > 0);
		same(updates(b, uri), 0, 'updates of one that did not subscribe');
		same(await result(a, 'resources/unsubscribe', { uri }), {}, 'unsubscribe');
	},
});
