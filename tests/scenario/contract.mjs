// The check of the wire contract passes what is only added, and finds what is
// taken back: committed or not, with history or without.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, same, scenarios } from '../support/harness.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const admin = 'proto/executor/admin/v1/admin.proto';

const git = (hub, ...args) => execFileSync('git', [
	'-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args], {
	cwd: hub.root, env: { ...hub.env, GIT_CONFIG_NOSYSTEM: '1' }, encoding: 'utf8',
});

function commit(hub) {
	git(hub, 'add', 'proto');
	git(hub, 'commit', '-qm', 'a change');
}

const check = (hub, ...args) => hub.run(path.join(root, '.ci/check-contract'), args, {
	env: { ...hub.env, TMPDIR: os.tmpdir() },
});

function edit(hub, from, to, file = admin) {
	const at = path.join(hub.root, file);
	const text = fs.readFileSync(at, 'utf8');
	assert(text.includes(from), `${file} has '${from}'`);
	fs.writeFileSync(at, text.replace(from, to));
}

// The contract as it is, and a repository of its own around it.
async function begin(hub) {
	fs.cpSync(path.join(root, 'proto'), path.join(hub.root, 'proto'), { recursive: true });
	git(hub, 'init', '-q');
	commit(hub);
	const r = await check(hub, hub.root);
	same([r.code, r.err], [0, ''], 'the contract as it is');
	assert(r.out.includes('with 1 earlier state'), r.out);
}

async function refused(hub, word) {
	const r = await check(hub, hub.root);
	same(r.code, 1, `refused: ${r.out}${r.err}`);
	assert((r.out + r.err).includes(word), `'${word}' in ${r.out}${r.err}`);
}

const text = file => fs.readFileSync(path.join(root, file), 'utf8');

await scenarios({
	async the_document_has_the_reasons_of_the_program(hub) {
		assert(hub);
		const row = /\[ERR_\w+\] = \{GRPC_(\w+),\s*(-\d+),\s*"(\w+)"\}/g;
		const program = [...text('proto/err.c').matchAll(row)].map(m => [m[3], m[2], m[1]]);
		const table = /^\| `(\w+)` \| (-\d+) \| ([A-Z_]+) \| \S/gm;
		const document = [...text('docs/protocol.md').matchAll(table)].map(m => [m[1], m[2], m[3]]);
		assert(program.length > 30, `rows of proto/err.c: ${program.length}`);
		same(document.sort(), program.sort(), 'docs/protocol.md against proto/err.c');
	},

	async this_checkout_keeps_it(hub) {
		const r = await check(hub);
		same([r.code, r.err], [0, ''], r.out);
	},

	async what_is_added_passes(hub) {
		await begin(hub);
		edit(hub, 'message DrainResponse {', 'message DrainResponse {\n  // Whole seconds.\n  uint32 more = 100;');
		commit(hub);
		const r = await check(hub, hub.root);
		same([r.code, r.err], [0, ''], r.out);
		// From now on it is part of the contract.
		edit(hub, 'uint32 more = 100;', 'uint64 more = 100;');
		await refused(hub, 'more');
		commit(hub);
		await refused(hub, 'more');
	},

	async what_is_taken_back_is_found_in_any_earlier_commit(hub) {
		await begin(hub);
		edit(hub, 'string version = 4;', 'string version = 104;');
		await refused(hub, '"version"');
		commit(hub);
		await refused(hub, '"version"');
		edit(hub, 'message DrainResponse {', '// Another change.\nmessage DrainResponse {');
		commit(hub);
		await refused(hub, '"version"');
	},

	async without_history_a_release_is_what_it_keeps_to(hub) {
		await begin(hub);
		fs.rmSync(path.join(hub.root, '.git'), { recursive: true });
		edit(hub, 'int64 pid = 1;', 'int32 pid = 1;');
		await refused(hub, '"pid"');
	},

	async names_follow_the_standard(hub) {
		await begin(hub);
		edit(hub, 'message GetStatusRequest {}', 'message GetStatusRequest {\n  // Wrong.\n  bool camelCase = 1;\n}');
		await refused(hub, 'camelCase');
	},
});
