/**
 * `zabra balance`: a balancer in front of an ensemble, in the foreground, until a signal; and the verbs
 * that look at one that runs and steer it.
 */
import { parseArguments, UsageError } from './arguments.js';
import { balanceFlags, balanceLists, balanceValues, givenOptions } from './balance/options-of.js';
import { steer, steeringVerbs } from './balance/steer.js';
import { loggerFor, loggingValues } from './logging.js';
import { exitCodeOf, reasonOf } from './server-command.js';
import { exitCodes, type Terminal } from './terminal.js';

export const balanceUsage = `zabra balance --listen HOST:PORT --servers HOST:PORT,HOST:PORT,… [option …]
zabra balance --config FILE [option …]
zabra balance status [--json]
zabra balance drain HOST:PORT [--force] [--no-wait] [--timeout SECONDS]
zabra balance undrain|wake|sleep HOST:PORT
zabra balance weight HOST:PORT NUMBER

Runs a balancer: clients connect to it as to a server, and do not notice when a server behind it
dies, is drained or is overloaded. In front of Zabra, Apache ZooKeeper, or both.

  --listen           where clients come; may be given again, or with commas
  --servers          the ensemble: host:port,…  or  dns-srv://NAME  or  dns://NAME:PORT
  --dns-server       whom to ask for names before the system; may be given again
  --follow-config    the servers are those of /zookeeper/config, as it changes
  --config           a file in JSON with all options (docs/balancing.md); the command line is over it

  --policy           random, round-robin, weighted-round-robin, least-connections, p2c-ewma; auto
  --subset           which servers are used: all, deterministic, rw, rw-p, auto; all unless given
  --scope            the subset is of this balancer (local) or of all of them (ensemble)
  --roles            spare-leader, observers-first, any
  --mask             strict, best-effort, off: what may be hidden from clients; strict unless given
  --relist-persistent   what persistent watches missed at Apache's servers is found by listing again
  --zone, --name     where this balancer is; what others call it

  --listen-read-only, --listen-tls   ports on which writes are refused; ports with TLS
  --tls-key-store, --tls-trust-store, --tls-client-auth none|want|need
  --upstream-tls, --upstream-ca FILE   servers are reached by TLS
  --proxy-from       proxies whose PROXY headers are believed: addresses, networks
  --send-proxy       v1 or v2: Zabra servers are told the clients' addresses

  --max-connections, --max-client-connections   in all; of one address
  --max-client-watches   that the clients of one address hold
  --max-outstanding  requests without an answer, of all; classes of clients share them by weight
  --rate             requests a second of one address, or requests/burst
  --rate-wait        a request waits so many ms before it is refused
  --deny             operations that nobody may ask for: reconfig,setACL or read or write
  --words            four-letter words that are answered; '*' for all

  --control          the control endpoint: HOST:PORT, 127.0.0.1 and any port unless given; off
  --control-file     where its address and token are written, for the verbs
  --metrics          HOST:PORT for Prometheus
  --access-log       a file, or - ; one line of JSON for each event; --access-log-requests
  --log-level, --log-format, --log-file

  zabra balance --listen 127.0.0.1:2181 --servers 10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181
  zabra balance drain 10.0.0.2:2181 && systemctl restart zookeeper

Ends with 0 after SIGTERM or SIGINT, 1 for an error that its last line tells, 2 for wrong options.
The verbs find a balancer of this user on this machine; of several, --control-file names one.`;

export async function runBalanceCommand(
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const [first, ...rest] = argv;
  const verb = steeringVerbs.find((known) => known === first);
  if (verb !== undefined) return await steer(verb, rest, terminal);
  if (first !== undefined && !first.startsWith('-')) {
    throw new UsageError(
      `'${first}' is none of ${steeringVerbs.join(', ')}; without a word it runs`,
    );
  }
  const args = parseArguments(argv, {
    values: [...balanceValues, ...loggingValues],
    lists: balanceLists,
    flags: balanceFlags,
  });
  const given = givenOptions(args);
  const { Balancer } = await import('../node/balancer.js');
  const { OptionError } = await import('../balancer/options.js');
  const logger = await loggerFor(args, 'info');
  terminal.onCrash((error) => {
    logger.error('a bug ended this process', { error: error.stack ?? error.message });
  });
  const stopped = terminal.untilStopped();
  try {
    // the constructor reads them, and tells all that is wrong
    const options = given as unknown as ConstructorParameters<typeof Balancer>[0];
    const balancer = new Balancer(options, { logger });
    await balancer.start();
    for (const { address, isTls, isReadOnly } of balancer.listeners) {
      logger.info('serving clients', { address, tls: isTls, readOnly: isReadOnly });
    }
    const signal = await stopped;
    logger.info('stopping', { signal });
    await balancer.stop();
    logger.info('stopped');
    return exitCodes.finished;
  } catch (error) {
    if (error instanceof OptionError) {
      for (const problem of error.problems) terminal.complain(`zabra balance: ${problem}`);
      return exitCodes.invalidInvocation;
    }
    const reason = reasonOf(error);
    logger.error(`the balancer does not start: ${reason}`);
    if (args.values.has('log-file')) terminal.complain(reason);
    return exitCodeOf(error);
  } finally {
    logger.close();
  }
}
