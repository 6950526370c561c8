// SDK clients of every revision, in front of one real server and one that
// answers what it is told: whatever a source says, no call and no list fails
// for the revision of whoever asked.  Numbers are those of the cases in the
// list of black-box tests.
import path from 'node:path';
import { assert, bin, bounded, same, scenarios, until } from '../support/harness.mjs';
import { each, load, Sdk, sdks } from '../support/sdks.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');

const kinds = result => result.content.map(c => c.type);

await scenarios({
	// 1, 48
	async a_client_of_each_revision_uses_a_real_server(hub) {
		await hub.addEverything('ev');
		await each(hub, async (sdk, revision) => {
			same(sdk.client.getServerVersion().name, 'executor', 'the server');
			await sdk.client.ping();
			const names = (await sdk.tools()).map(t => t.name);
			assert(names.includes('ev__echo') && names.includes('executor__status'), names.join());
			same((await sdk.call('ev__echo', { message: 'Zoë 🌍' })).content[0].text, 'Echo: Zoë 🌍', 'echo');
			assert((await sdk.call('ev__get-sum', { a: 2, b: 40 })).content[0].text.includes('42'), 'sum');
			const steps = [];
			await sdk.call('ev__trigger-long-running-operation', { duration: 0.3, steps: 3 },
				{ onprogress: p => steps.push(p.progress) });
			assert(steps.length >= 2, `progress ${steps}`);
			const image = await sdk.call('ev__get-tiny-image');
			assert(kinds(image).includes('image'), kinds(image).join());
			const links = await sdk.call('ev__get-resource-links', { count: 2 });
			same(kinds(links).includes('resource_link'), revision >= '2025-06-18', 'links');
			assert(links.content.length >= 3, JSON.stringify(links));
			const reference = await sdk.call('ev__get-resource-reference', { resourceType: 'Text', resourceId: 1 });
			assert(kinds(reference).includes('resource'), kinds(reference).join());
			const weather = await sdk.call('ev__get-structured-content', { location: 'Chicago' });
			assert(typeof weather.structuredContent.temperature === 'number', JSON.stringify(weather));
			const unknown = await sdk.call('ev__nothing').then(() => null, error => error);
			same(unknown?.code, -32602, 'an unknown tool');
		});
	},

	// 48
	async kinds_that_a_revision_does_not_know_become_texts(hub) {
		await hub.addSource('fake', fake, 'all-tools');
		const content = [
			{ type: 'text', text: 'first' },
			{ type: 'audio', data: 'QUJD', mimeType: 'audio/wav' },
			{ type: 'resource_link', uri: 'file:///a', name: 'a', mimeType: 'text/plain' },
			{ type: 'image', data: 'QUJD', mimeType: 'image/png' },
		];
		await each(hub, async (sdk, revision) => {
			await sdk.tools();
			const got = (await sdk.call('fake__answer', { content })).content;
			const audio = revision >= '2025-03-26', link = revision >= '2025-06-18';
			same(got.map(c => c.type), ['text', audio ? 'audio' : 'text',
				link ? 'resource_link' : 'text', 'image'], 'kinds');
			if (audio)
				same(got[1], content[1], 'audio');
			else
				assert(got[1].text.includes('audio/wav'), got[1].text);
			if (link)
				same(got[2].uri, 'file:///a', 'link');
			else
				same(got[2].text, 'a: file:///a (text/plain)', 'link');
			same([got[0], got[3]], [content[0], content[3]], 'the others');
		});
	},

	// 49
	async an_output_schema_of_no_object_fails_no_list(hub) {
		await hub.addSource('odd', fake, 'odd-schemas');
		await hub.addEverything('ev');
		await each(hub, async (sdk, revision) => {
			const tools = Object.fromEntries((await sdk.tools()).map(t => [t.name, t]));
			assert(tools.ev__echo, 'the tools of others');
			for (const name of ['answer', 'echo', 'add', 'slow', 'log'])
				assert(tools[`odd__${name}`], name);
			const wrapped = tools.odd__answer.outputSchema;
			if (wrapped) { // 2024-11-05 and 2025-03-26 do not know it
				same(wrapped.type, 'object', 'type');
				same(wrapped.properties.result.items.anyOf[1].$ref, '#/properties/result', '$ref');
			}
			assert(wrapped || revision < '2025-06-18', 'the schema is there');
			same(tools.odd__add.outputSchema, undefined, 'what is no schema');
			// SDKs that know them check the result by the schema.
			const array = await sdk.call('odd__answer', { content: [], structuredContent: [1, [2, 3]] });
			same(array.structuredContent, { result: [1, [2, 3]] }, 'an array');
			const object = await sdk.call('odd__echo', { x: 1 });
			same(object.structuredContent, { result: { x: 1 } }, 'an object of no known schema');
		});
	},

	// 3, and what SDK 2 does before it speaks: a process of its own asks.
	async the_second_sdk_finds_out_the_era_by_itself(hub) {
		await hub.addSource('fake', fake);
		const { Client, StdioClientTransport } = await load('@modelcontextprotocol/client');
		const client = new Client({ name: 'auto', version: '1' },
			{ capabilities: {}, versionNegotiation: { mode: 'auto' } });
		await bounded(client.connect(new StdioClientTransport({
			command: path.join(bin, 'executor-mcp-adapter'), env: hub.env, stderr: 'ignore',
		})), 'connect');
		same(client.getNegotiatedProtocolVersion(), '2025-11-25', 'revision');
		same((await client.callTool({ name: 'fake__add', arguments: { a: 2, b: 40 } })).content[0].text, '42', 'add');
		await client.close();
		await until('one daemon', () => hub.daemons().length === 1);
	},

	// 8: all at once on one shared child.
	async clients_of_all_revisions_share_one_source(hub) {
		await hub.addSource('fake', fake);
		const all = await Promise.all(sdks.map(([name]) => new Sdk().connect(hub, name)));
		await Promise.all(all.map(sdk => sdk.tools()));
		await Promise.all(all.map(async (sdk, n) => {
			for (let i = 0; i < 20; i++)
				same((await sdk.call('fake__add', { a: n * 1000, b: i })).content[0].text,
					String(n * 1000 + i), 'its own answer');
		}));
		same(hub.daemons().length, 1, 'one daemon');
		await Promise.all(all.map(sdk => sdk.client.close()));
	},
});
