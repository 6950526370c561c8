// SDK clients of every revision on what is no tool: resources, templates,
// subscriptions, prompts, completion; in front of a real server and a scripted
// one.
import { fileURLToPath } from 'node:url';
import { assert, bounded, same, scenarios, until } from '../support/harness.mjs';
import { each, Sdk, sdks } from '../support/sdks.mjs';

const scripted = fileURLToPath(new URL('../support/scripted.mjs', import.meta.url));

const addScripted = (hub, name, script) => hub.ok('source', 'add', name, '--',
	process.execPath, scripted, JSON.stringify({ name, ...script }));

await scenarios({
	async resources_of_a_real_server(hub) {
		await hub.addEverything('ev');
		await each(hub, async ({ client }) => {
			const { resources } = await bounded(client.listResources(), 'resources/list');
			assert(resources.length > 3, JSON.stringify(resources));
			for (const { uri } of resources.slice(0, 2)) {
				const { contents } = await bounded(client.readResource({ uri }), 'resources/read');
				same(contents[0].uri, uri, 'what was read');
				assert((contents[0].text ?? contents[0].blob).length > 0, 'its contents');
			}
			const { resourceTemplates } = await bounded(client.listResourceTemplates(), 'templates');
			const template = resourceTemplates.find(t => t.uriTemplate.includes('text'));
			const uri = template.uriTemplate.replace(/\{[^}]*\}/, '7');
			same((await bounded(client.readResource({ uri }), 'a template')).contents[0].uri, uri, 'a template');
			const unknown = await client.readResource({ uri: 'demo://nothing/there' }).then(() => null, e => e);
			assert(unknown?.code < 0, `an unknown resource: ${unknown}`);
		});
	},

	async prompts_and_completion_of_a_real_server(hub) {
		await hub.addEverything('ev');
		await each(hub, async ({ client }) => {
			const { prompts } = await bounded(client.listPrompts(), 'prompts/list');
			assert(prompts.length > 2 && prompts.every(p => p.name.startsWith('ev__')), JSON.stringify(prompts));
			const plain = prompts.find(p => !p.arguments?.length);
			const { messages } = await bounded(client.getPrompt({ name: plain.name }), 'prompts/get');
			assert(messages[0].content.text.length > 0, JSON.stringify(messages));
			const completable = prompts.find(p => p.name.includes('complet'));
			const { completion } = await bounded(client.complete({
				ref: { type: 'ref/prompt', name: completable.name },
				argument: { name: completable.arguments[0].name, value: '' },
			}), 'completion/complete');
			assert(completion.values.length > 0, JSON.stringify(completion));
			const values = Object.fromEntries(completable.arguments.map(a => [a.name, completion.values[0]]));
			const filled = await bounded(client.getPrompt({ name: completable.name, arguments: values }), 'prompts/get');
			assert(JSON.stringify(filled.messages).includes(completion.values[0]), JSON.stringify(filled));
			const unknown = await client.getPrompt({ name: 'ev__nothing' }).then(() => null, e => e);
			same(unknown?.code, -32602, 'an unknown prompt');
		});
	},

	async a_subscriber_hears_of_each_update(hub) {
		const script = { tools: ['say'], resources: ['same://x'], templates: ['t://{x}'], completes: ['one', 'two'], subscribe: true };
		await addScripted(hub, 'one', script);
		await addScripted(hub, 'two', script);
		const update = (sdk, name) => sdk.call(`${name}__say`,
			{ method: 'notifications/resources/updated', params: { uri: 'same://x' } });
		await each(hub, async sdk => {
			await sdk.tools();
			const { resources } = await bounded(sdk.client.listResources(), 'resources/list');
			const uris = resources.map(r => r.uri);
			same(uris.length, 2, uris.join());
			// The first of the first server, the second, an alias, of the other.
			for (const [i, name] of ['one', 'two'].entries()) {
				await bounded(sdk.client.subscribeResource({ uri: uris[i] }), 'subscribe');
				await update(sdk, name);
				await until(`${name} tells`, () => sdk.updates.length === i + 1);
				same(sdk.updates[i], uris[i], 'under the URI that was subscribed to');
			}
			await bounded(sdk.client.unsubscribeResource({ uri: uris[0] }), 'unsubscribe');
			await update(sdk, 'one');
			await update(sdk, 'two');
			await until('the other one still tells', () => sdk.updates.length === 3);
			await sdk.client.ping();
			same(sdk.updates, [uris[0], uris[1], uris[1]], 'what was told');
			const template = await bounded(sdk.client.complete({
				ref: { type: 'ref/resource', uri: 't://{x}' }, argument: { name: 'x', value: '' },
			}), 'completion/complete');
			same(template.completion.values, ['one', 'two'], 'a template');
		});
	},

	async clients_of_all_revisions_are_told_of_one_update(hub) {
		await addScripted(hub, 'one', { tools: ['say'], resources: ['one://x'], subscribe: true });
		const all = await Promise.all(sdks.map(([name]) => new Sdk().connect(hub, name)));
		for (const sdk of all) {
			await sdk.tools();
			await bounded(sdk.client.subscribeResource({ uri: 'one://x' }), 'subscribe');
		}
		await all[0].call('one__say', { method: 'notifications/resources/updated', params: { uri: 'one://x' } });
		for (const sdk of all)
			await until('it is told', () => sdk.updates.length > 0);
		for (const sdk of all) {
			same(sdk.updates, ['one://x'], 'once');
			await sdk.client.close();
		}
	},
});
