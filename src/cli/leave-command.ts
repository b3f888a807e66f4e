/** `zabra leave`: a server ceases to be a member; also one that is dead, or that an autopilot has out. */
import { EnsembleError, EnsembleSession, placesAt } from '../node/ensemble-session.js';
import { dnsServiceNames } from '../node/service-names.js';
import { numberOf, parseArguments, UsageError } from './arguments.js';
import { credentialOf } from './credential.js';
import { whoIs } from './join-command.js';
import { exitCodes, type Terminal } from './terminal.js';

export const leaveUsage = `zabra leave ENSEMBLE --id N [--auth digest:USER:PASSWORD]

Takes a server out of the configuration of an ensemble, for good. ENSEMBLE is the client address of
one of its servers (or of several, with commas), or a name of DNS SRV. The server itself goes on until
it is stopped; its data stays where it is. If it leads, another one leads from then on. One that an
autopilot took out is not let in again.

  --id    the number of the server
  --auth  who may change the configuration (also in the variable ZABRA_AUTH)

  zabra leave 10.0.0.1:2181 --id 4 --auth digest:super:secret

Ends with 0 when it is out, 1 when the ensemble refuses, 2 for wrong arguments.`;

const CHANGE_TIMEOUT_MS = 30_000;

export async function runLeaveCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const args = parseArguments(argv, { values: ['id', 'auth'], positionals: 1 });
  const [target] = args.positionals;
  if (target === undefined) {
    throw new UsageError('where is the ensemble? zabra leave HOST:PORT --id N');
  }
  const sid = numberOf(args, 'id', 0, 255);
  if (sid === null) throw new UsageError('--id is missing: the number of the server that leaves');
  const credential = credentialOf(args, terminal.env);
  let ensemble: EnsembleSession | null = null;
  try {
    ensemble = new EnsembleSession(await placesAt(target, dnsServiceNames()), credential);
    const before = await ensemble.members();
    if (!before.servers.has(sid)) await refuseStranger(ensemble, sid, before);
    const after = await ensemble.change({ leaving: String(sid) }, CHANGE_TIMEOUT_MS);
    terminal.print(`server ${sid} is out: ${whoIs(after)}\n`);
    if (before.servers.has(sid)) terminal.print('stop it now, where it runs\n');
    return exitCodes.finished;
  } catch (error) {
    if (!(error instanceof EnsembleError)) throw error;
    terminal.complain(`zabra leave: ${error.message}`);
    return exitCodes.unexpected;
  } finally {
    await ensemble?.close();
  }
}

/** Unless it is one that would be let in again. */
async function refuseStranger(
  ensemble: EnsembleSession,
  sid: number,
  members: Awaited<ReturnType<EnsembleSession['members']>>,
): Promise<void> {
  const out = await ensemble.takenOut();
  if (out.some(({ server }) => server.sid === sid)) return;
  throw new EnsembleError(`there is no server ${sid}: ${whoIs(members)}`);
}
