// The programs that docs/clients.md prints, run as they are printed, with
// nothing of this project but what an installation leaves.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, bin, same, scenarios } from '../support/harness.mjs';

const tests = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const text = fs.readFileSync(path.join(tests, '../docs/clients.md'), 'utf8');

// The blocks of one section: [language, body].
function blocks(section) {
	const body = text.split(/^## /m).find(s => s.startsWith(`${section}\n`));
	assert(body, `docs/clients.md has '${section}'`);
	return [...body.matchAll(/^```(\w+)\n(.*?)^```/gms)].map(m => [m[1], m[2]]);
}

function block(section, language) {
	const found = blocks(section).filter(b => b[0] === language);
	same(found.length, 1, `blocks in ${language} under '${section}'`);
	return found[0][1];
}

// A place as the document describes it: a daemon, the source ev, and proto.
async function begin(hub) {
	const prefix = path.join(hub.root, 'prefix');
	const installed = await hub.run('cmake', ['--install', path.dirname(bin), '--prefix', prefix]);
	same([installed.code, installed.err], [0, ''], 'cmake --install');
	const asked = await hub.run('pkg-config', ['--variable=protodir', 'executor'],
		{ env: { ...hub.env, PKG_CONFIG_PATH: path.join(prefix, 'share/pkgconfig') } });
	fs.symlinkSync(asked.out.trim(), path.join(hub.root, 'proto'));
	await hub.addEverything('ev');
	await hub.ok('endpoint');
}

async function prints(hub, wanted, command, args) {
	const tools = path.join(tests, 'contract/node_modules/.bin');
	const r = await hub.run(command, args, { env: { ...hub.env, PATH: `${hub.env.PATH}:${tools}` } });
	assert(r.code === 0 && r.out.includes(wanted), `${command}: ${r.code}\n${r.out}${r.err}`);
}

await scenarios({
	async python(hub) {
		await begin(hub);
		fs.writeFileSync(path.join(hub.root, 'call.py'), block('Python', 'python'));
		await prints(hub, 'Echo: from Python\n', '/usr/bin/python3', ['call.py']);
	},

	async node(hub) {
		await begin(hub);
		// Node looks for packages from the program's own place.
		fs.symlinkSync(path.join(tests, 'node_modules'), path.join(hub.root, 'node_modules'));
		fs.writeFileSync(path.join(hub.root, 'call.mjs'), block('Node', 'js'));
		await prints(hub, 'Echo: from Node\n', process.execPath, ['call.mjs']);
	},

	async cpp(hub) {
		await begin(hub);
		fs.writeFileSync(path.join(hub.root, 'call.cc'), block('C++', 'cpp'));
		await prints(hub, 'Echo: from C++', 'sh', ['-e', '-c', block('C++', 'sh')]);
	},

	async buf(hub) {
		await begin(hub);
		fs.unlinkSync(path.join(hub.root, 'proto')); // the daemon tells it all
		await prints(hub, 'Echo: from buf', 'sh', ['-e', '-c', block('From a shell', 'sh')]);
	},
});
