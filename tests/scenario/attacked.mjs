// A running daemon is attacked, and a well-behaved client next to it is
// measured: it has every call answered.
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { assert, bin, bounded, pause, same, scenarios, until } from '../support/harness.mjs';
import { attack, attacks } from '../support/attacks.mjs';
import * as h2 from '../support/rawh2.mjs';
import { load } from '../support/health.mjs';

// Memory that a sanitizer only keeps to find mistakes is none of ours.
process.env.ASAN_OPTIONS ??= 'quarantine_size_mb=4:thread_local_quarantine_size_kb=64';

const mcp = load('executor/mcp/v1/mcp.proto').executor.mcp.v1;
const admin = load('executor/admin/v1/admin.proto').executor.admin.v1;
const large = fileURLToPath(new URL('../support/large_source.mjs', import.meta.url));
const MIB = 1024;

const rss = pid => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);

const unary = (client, method, request) => new Promise((done, fail) => client[method](
	request, { deadline: Date.now() + 60000 }, (error, answer) => error ? fail(error) : done(answer)));

// A stock client that goes on calling, and remembers how long each call took.
class Neighbour {
	constructor(socket) {
		const credentials = grpc.credentials.createInsecure();
		this.mcp = new mcp.McpService(`unix:${socket}`, credentials);
		this.admin = new admin.AdminService(`unix:${socket}`, credentials);
		this.json = Buffer.from(JSON.stringify({
			jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'large__text', arguments: { bytes: 1000 } },
		}));
	}

	// Until the promise is settled; then what the calls took, in ms, sorted.
	async during(promise) {
		const took = [];
		let over = false;
		promise.finally(() => { over = true; });
		do {
			const began = performance.now();
			const answer = JSON.parse((await unary(this.mcp, 'Call', { json: this.json })).json);
			same(answer.result.content[0].text.length, 1000, 'the answer of the neighbour');
			took.push(performance.now() - began);
			await pause(1);
		} while (!over);
		return took.sort((a, b) => a - b);
	}

	// What is open now, besides this call.
	async counters() {
		const c = (await unary(this.admin, 'GetStatus', {})).counters;
		return { connections: c.connections, streams: c.streams - 1, calls: c.requestsInFlight };
	}

	close() {
		this.mcp.close();
		this.admin.close();
	}
}

async function besieged(hub) {
	await hub.addSource('large', process.execPath, large);
	await hub.ok('endpoint');
	const neighbour = new Neighbour(hub.socket());
	await neighbour.during(pause(50));
	return { neighbour, quiet: await neighbour.counters(), pid: hub.daemons()[0] };
}

// The counters go back to where they were, once the daemon has seen the end.
async function calm({ neighbour, quiet }) {
	let now;
	await until('counters at rest', async () => {
		now = await neighbour.counters();
		return JSON.stringify(now) === JSON.stringify(quiet);
	}).catch(error => { throw new Error(`${error.message}: ${JSON.stringify(now)}, want ${JSON.stringify(quiet)}`); });
}

function tell(name, took, grown) {
	const at = share => took[Math.min(took.length - 1, Math.floor(took.length * share))].toFixed(1);
	console.log(`     ${name}: ${took.length} calls, ms p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)}; at most ${(grown / MIB).toFixed(1)} MiB more`);
}

async function survive(place, name, where, most_mib) {
	const before = rss(place.pid);
	let peak = before;
	const watch = setInterval(() => { peak = Math.max(peak, rss(place.pid)); }, 5);
	const going = bounded(attack(name, where), name);
	const took = await place.neighbour.during(going).finally(() => clearInterval(watch));
	const outcome = await going;
	for (const [key, want] of Object.entries(attacks[name].want))
		same(outcome[key], want, `${name}: ${key} of ${JSON.stringify(outcome)}`);
	await calm(place);
	tell(name, took, peak - before);
	assert(peak - before < most_mib * MIB, `${name}: the daemon grew by ${peak - before} KiB`);
}

// A daemon started by hand, by a shell that says what it must do with.
async function started(hub, limits, ...options) {
	const child = spawn('/bin/sh', ['-c', `${limits}; exec "$0" "$@"`, path.join(bin, 'executord'), '--data-dir', hub.dir, ...options],
		{ env: hub.env, cwd: hub.root, stdio: 'ignore' });
	await until('it serves', () => hub.manifest() || child.exitCode !== null);
	same(child.exitCode, null, 'executord');
	return besieged(hub);
}

// Many connections that are kept open, some of which are refused; then new ones
// must be welcome again.
async function crowd(hub, place, most) {
	const all = Array.from({ length: 300 }, () => new h2.Raw({ path: hub.socket() }));
	for (const raw of all)
		raw.write(h2.hello);
	const going = until('those too many are refused', () => all.filter(raw => !raw.isClosed).length <= most);
	const took = await place.neighbour.during(Promise.all([going, pause(300)]));
	const held = all.filter(raw => !raw.isClosed);
	assert(held.length > 0, 'some are served');
	assert((await place.neighbour.counters()).connections <= most, 'as many as allowed');
	tell(`${all.length} connections, ${held.length} served`, took, 0);
	await Promise.all(all.map(raw => raw.close()));
	await calm(place);
	const late = new Neighbour(hub.socket());
	await late.during(pause(50));
	late.close();
	place.neighbour.close();
}

const socket = hub => ({ address: { path: hub.socket() } });

// Those that wait for a patience of five seconds, and those that ask for much.
const patient = ['half_a_preface', 'no_settings', 'half_a_header_block', 'a_header_block_byte_by_byte'];
const greedy = ['no_window', 'nothing_is_read'];

await scenarios({
	async floods_end_only_their_own_connection(hub) {
		const place = await besieged(hub);
		for (const name of Object.keys(attacks).filter(n => !patient.includes(n) && !greedy.includes(n)))
			await survive(place, name, socket(hub), 24);
		place.neighbour.close();
	},

	async who_takes_no_answers_costs_only_their_size(hub) {
		const place = await besieged(hub);
		for (const name of greedy)
			await survive(place, name, socket(hub), 150);
		const rest = rss(place.pid);
		await survive(place, greedy[0], socket(hub), 150);
		await until('memory is given back', () => rss(place.pid) < rest + 24 * MIB);
		place.neighbour.close();
	},

	// With the token and without: the limits are those of the connection.
	async a_port_is_held_to_stricter_limits(hub) {
		const place = await started(hub, ':', '--listen', '127.0.0.1:0');
		const { hostname: host, port, host: authority } = new URL(hub.manifest().tcp_url);
		const token = fs.readFileSync(path.join(hub.dir, 'token'), 'latin1').trim();
		const address = { host, port: Number(port) };
		const client = { address, fields: { ':authority': authority, authorization: `Bearer ${token}` } };
		const floods = ['rapid_reset', 'made_to_reset_by_a_window', 'header_bombs', 'settings', 'pings', 'empty_data', 'unknown_frames'];
		for (const name of floods)
			await survive(place, name, client, 24);
		for (const name of floods.filter(n => n !== 'made_to_reset_by_a_window'))
			await survive(place, name, { address }, 24);
		place.neighbour.close();
	},

	async more_connections_than_allowed_are_refused(hub) {
		await crowd(hub, await started(hub, ':', '--connections', '40'), 40);
	},

	async without_descriptors_others_are_refused(hub) {
		await crowd(hub, await started(hub, 'ulimit -n 100'), 100);
	},

	async half_a_hello_is_not_waited_for(hub) {
		const place = await besieged(hub);
		const going = patient.map(name => bounded(attack(name, socket(hub)), name));
		const took = await place.neighbour.during(Promise.all(going));
		for (const [i, name] of patient.entries())
			for (const [key, want] of Object.entries(attacks[name].want))
				same((await going[i])[key], want, `${name}: ${key}`);
		await calm(place);
		tell('half-open', took, 0);
		place.neighbour.close();
	},
});
