// What a client had set up survives the daemon: subscriptions come back
// without a word of the client, and it is told what it may have missed.
import path from 'node:path';
import { assert, bin, pause, same, scenarios, until } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');

async function connected(hub) {
	const adapter = hub.adapter();
	await adapter.initialize();
	await adapter.tools();
	return adapter;
}

const heard = (adapter, method) => adapter.notifications.filter(n => n.method === method);
const updates = (adapter, uri) =>
	heard(adapter, 'notifications/resources/updated').filter(n => n.params.uri === uri).length;

async function subscribed(adapter, uri) {
	assert((await adapter.ask('resources/list', {})).result, 'resources');
	const m = await adapter.ask('resources/subscribe', { uri });
	assert(m.result, `subscribe: ${JSON.stringify(m)}`);
}

async function touch(adapter, uri) {
	const m = await adapter.call('fake__touch', { uri });
	assert(m.result, `touch: ${JSON.stringify(m)}`);
}

const uri = 'fake://one';

await scenarios({
	async a_subscription_survives_the_daemon(hub) {
		await hub.addSource('fake', fake, 'rich');
		// All that it has is known: no list changes from now on.
		await hub.ok('source', 'test', 'fake');
		await hub.ok('daemon', 'stop');
		const [watcher, other, former] = [await connected(hub), await connected(hub), await connected(hub)];
		await subscribed(watcher, uri);
		await subscribed(former, uri);
		assert((await former.ask('resources/unsubscribe', { uri })).result, 'unsubscribe');
		await touch(other, uri);
		await until('the first update', () => updates(watcher, uri) === 1);

		const [pid] = hub.daemons();
		process.kill(pid, 'SIGKILL');
		// It may have missed one meanwhile.
		await until('it is told', () => updates(watcher, uri) === 2);
		await touch(other, uri);
		await until('an update from the next daemon', () => updates(watcher, uri) === 3);
		assert(hub.daemons()[0] !== pid, 'another daemon');
		same(updates(former, uri), 0, 'updates for who had left');
		same(updates(other, uri), 0, 'updates for who never asked');
		for (const kind of ['tools', 'prompts', 'resources'])
			same(heard(watcher, `notifications/${kind}/list_changed`).length, 1, `${kind}/list_changed`);

		// A daemon that is told to end is no different.
		await hub.ok('daemon', 'restart');
		await until('it is told again', () => updates(watcher, uri) === 4);
		await touch(other, uri);
		await until('an update from the third daemon', () => updates(watcher, uri) === 5);
	},

	async one_that_is_on_its_way_arrives(hub) {
		await hub.addSource('fake', fake, 'rich');
		const [watcher, other] = [await connected(hub), await connected(hub)];
		assert((await watcher.ask('resources/list', {})).result, 'resources');
		const [pid] = hub.daemons();
		process.kill(pid, 'SIGSTOP');
		const answer = watcher.ask('resources/subscribe', { uri });
		const unwanted = watcher.ask('resources/subscribe', { uri: 'fake://two' });
		const end = watcher.ask('resources/unsubscribe', { uri: 'fake://two' });
		await pause(50);
		process.kill(pid, 'SIGKILL');
		for (const m of await Promise.all([answer, unwanted, end]))
			assert(m.result, JSON.stringify(m));
		for (let i = 0; i < 2; i++) {
			const before = updates(watcher, uri);
			await touch(other, 'fake://two');
			await touch(other, uri);
			await until('an update', () => updates(watcher, uri) > before);
			same(updates(watcher, 'fake://two'), 0, 'updates of what was ended');
			process.kill(hub.daemons()[0], 'SIGKILL');
			await until('it is told', () => updates(watcher, uri) > before + 1);
		}
	},

	async a_source_that_does_not_come_back_harms_nothing(hub) {
		await hub.addSource('fake', fake, 'rich');
		await hub.addSource('gone', fake, 'rich');
		const [watcher, other] = [await connected(hub), await connected(hub)];
		const alias = 'mcp-hub://gone/fake%3A%2F%2Fone';
		await subscribed(watcher, uri);
		await subscribed(watcher, alias);
		process.kill(hub.daemons()[0], 'SIGSTOP');
		process.kill(hub.daemons()[0], 'SIGKILL');
		await hub.ok('source', 'remove', 'gone');
		const before = updates(watcher, uri);
		await touch(other, uri);
		await until('an update of the other one', () => updates(watcher, uri) > before);
	},
});
