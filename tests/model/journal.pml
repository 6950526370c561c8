/*
 * The journal of calls and how an adapter resumes, as a model for spin.
 *
 * One adapter, KEYS calls, one daemon at a time that may be killed KILLS times
 * between any two steps, a connection that may break LOSSES times, a disk that
 * may be full FULLS times.  A tool that was passed on may still run, or not,
 * after its daemon died.
 *
 * Properties: no call runs twice; each is answered exactly once; a result means
 * that it ran, a refusal that it did not; what the next daemon lets the adapter
 * send again was never passed on; nothing gets stuck.
 *
 * Mutations, each of which must be found:
 *   M_LATE     the row is written after the call was passed on
 *   M_FORGET   the row goes when the answer leaves, not when it is delivered
 *   M_RESEND   what is in doubt is sent again
 *   M_KEEP     a new daemon leaves ACCEPTED as it is, and waits for it
 */
#ifndef KEYS
#define KEYS 2
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef FULLS
#define FULLS 1
#endif

/* The adapter's ledger. */
#define QUEUED	 0
#define SENT	 1
#define LOST	 2
#define OVER	 3
/* A row on the disk. */
#define NO_ROW	 0
#define ACCEPTED 1
#define DONE	 2
#define DOUBT	 3
/* The daemon's memory. */
#define NOTHING	 0
#define ARRIVED	 1 /* the row is asked for */
#define WRITTEN	 2 /* and committed */
#define PASSED	 3
#define RAN	 4 /* the answer came; it is asked to be kept */
#define KEPT	 5 /* and committed, or could not be: to be delivered */
#define REPLIED	 6
#define REFUSED	 7 /* no row could be written: to be delivered */
#define TOLD	 8 /* and it was */
/* At the tool. */
#define IDLE	 0
#define HAS_IT	 1
#define ORPHAN	 2 /* its daemon died */
/* An answer on its way, and a verdict. */
#define RESULT	 1
#define REFUSAL	 2
#define UNKNOWN	 1
#define WAIT	 2
#define GIVE_UP	 3

byte ledger[KEYS], row[KEYS], memory[KEYS], tool[KEYS];
bool request[KEYS], answered[KEYS], ack[KEYS], pending[KEYS];
byte reply[KEYS], verdict[KEYS];
byte runs[KEYS], answers[KEYS];

bool alive, link_up, attached, greeting, welcomed;
byte kills, losses, fulls;

inline forget_stream()
{
	for (i : 0 .. KEYS - 1) {
		request[i] = false;
		reply[i] = 0;
		ack[i] = false;
		if
		:: ledger[i] == SENT -> ledger[i] = LOST
		:: else
		fi
	}
	attached = false;
	greeting = false;
	welcomed = false;
	link_up = false
}

inline start()
{
	for (i : 0 .. KEYS - 1) {
		if
#ifndef M_KEEP
		:: row[i] == ACCEPTED -> row[i] = DOUBT
#endif
		:: else
		fi
	}
	alive = true
}

inline kill_daemon()
{
	kills++;
	alive = false;
	link_up = false;
	/* What it had sent can still be read; what was sent to it is gone. */
	for (i : 0 .. KEYS - 1) {
		memory[i] = NOTHING;
		request[i] = false;
		ack[i] = false;
		answered[i] = false;
		if
		:: tool[i] == HAS_IT -> tool[i] = ORPHAN
		:: else
		fi
	}
}

inline judge()
{
	for (i : 0 .. KEYS - 1) {
		if
		:: !pending[i] -> /* the adapter does not wait for it */
			row[i] = NO_ROW;
			verdict[i] = 0;
		:: else ->
			if
			:: memory[i] == REPLIED -> /* from the outbox again */
				memory[i] = KEPT;
				verdict[i] = WAIT
			:: memory[i] == TOLD ->
				memory[i] = REFUSED;
				verdict[i] = WAIT
			:: memory[i] != NOTHING && memory[i] != REPLIED &&
				   memory[i] != TOLD ->
				verdict[i] = WAIT
			:: memory[i] == NOTHING && row[i] == DONE ->
				memory[i] = KEPT;
				verdict[i] = WAIT
#ifdef M_RESEND
			:: memory[i] == NOTHING && row[i] == DOUBT ->
				row[i] = NO_ROW;
				verdict[i] = UNKNOWN
#else
			:: memory[i] == NOTHING && row[i] == DOUBT ->
				verdict[i] = GIVE_UP
#endif
			:: memory[i] == NOTHING && row[i] == ACCEPTED ->
				verdict[i] = WAIT
			:: memory[i] == NOTHING && row[i] == NO_ROW ->
				verdict[i] = UNKNOWN
			fi
		fi
	}
	welcomed = true
}

inline settle()
{
	for (i : 0 .. KEYS - 1) {
		if
		:: ledger[i] == LOST && verdict[i] == UNKNOWN ->
			request[i] = link_up;
			ledger[i] = SENT
		:: ledger[i] == LOST && verdict[i] == WAIT ->
			ledger[i] = SENT
		:: ledger[i] == LOST && verdict[i] == GIVE_UP ->
			ledger[i] = OVER;
			answers[i]++
		:: else
		fi;
		verdict[i] = 0
	}
	welcomed = false;
	greeting = false;
	attached = true
}

#define ALL_OVER                                                               \
	(ledger[0] == OVER && ledger[KEYS - 1] == OVER &&                      \
	 ledger[KEYS / 2] == OVER)

/* The steps of one call. */
proctype call(byte k)
{
	do
	/* the adapter */
	:: atomic { attached && ledger[k] == QUEUED ->
		request[k] = link_up;
		ledger[k] = SENT }
	:: atomic { attached && reply[k] != 0 ->
		if
		:: ledger[k] == SENT ->
			assert(reply[k] == RESULT || runs[k] == 0);
			assert(reply[k] == REFUSAL || runs[k] == 1);
			ledger[k] = OVER;
			answers[k]++
		:: else
		fi;
		assert(answers[k] == 1);
		reply[k] = 0;
		ack[k] = link_up }
	/* the daemon */
	:: atomic { alive && link_up && request[k] ->
		request[k] = false;
		assert(memory[k] == NOTHING && row[k] == NO_ROW);
		memory[k] = ARRIVED }
#ifdef M_LATE
	:: atomic { alive && memory[k] == ARRIVED ->
		tool[k] = HAS_IT;
		memory[k] = WRITTEN }
	:: atomic { alive && memory[k] == WRITTEN ->
		row[k] = ACCEPTED;
		memory[k] = PASSED }
#else
	:: atomic { alive && memory[k] == ARRIVED ->
		row[k] = ACCEPTED;
		memory[k] = WRITTEN }
	:: atomic { alive && memory[k] == WRITTEN ->
		tool[k] = HAS_IT;
		memory[k] = PASSED }
#endif
	:: atomic { alive && memory[k] == ARRIVED && fulls < FULLS ->
		fulls++;
		memory[k] = REFUSED }
	:: atomic { alive && memory[k] == PASSED && answered[k] ->
		answered[k] = false;
		memory[k] = RAN }
	:: atomic { alive && memory[k] == RAN ->
		row[k] = DONE;
		memory[k] = KEPT }
	:: atomic { alive && memory[k] == RAN && fulls < FULLS ->
		fulls++;
		memory[k] = KEPT }
	:: atomic { alive && link_up && (welcomed || attached) &&
		    memory[k] == KEPT ->
#ifdef M_FORGET
		row[k] = NO_ROW;
#endif
		reply[k] = RESULT;
		memory[k] = REPLIED }
	:: atomic { alive && link_up && (welcomed || attached) &&
		    memory[k] == REFUSED ->
		reply[k] = REFUSAL;
		memory[k] = TOLD }
	:: atomic { alive && link_up && ack[k] ->
		ack[k] = false;
		row[k] = NO_ROW;
		memory[k] = NOTHING }
	/* the tool */
	:: atomic { tool[k] != IDLE ->
		runs[k]++;
		assert(runs[k] == 1);
		answered[k] = (tool[k] == HAS_IT);
		tool[k] = IDLE }
	:: atomic { tool[k] == ORPHAN -> tool[k] = IDLE }
	:: ALL_OVER -> break
	od
}

active proctype world()
{
	byte i;

	atomic {
		start();
		for (i : 0 .. KEYS - 1) {
			run call(i)
		}
	}
	do
	:: atomic { !alive -> start() }
	:: atomic { alive && kills < KILLS -> kill_daemon() }
	:: atomic { link_up && losses < LOSSES ->
		losses++;
		forget_stream() }
	:: atomic { (attached || greeting) && !link_up -> forget_stream() }
	:: atomic { alive && !attached && !greeting ->
		for (i : 0 .. KEYS - 1) {
			pending[i] = (ledger[i] == LOST)
		}
		link_up = true;
		greeting = true }
	:: atomic { alive && link_up && greeting && !welcomed -> judge() }
	:: atomic { welcomed -> settle() }
	:: atomic { ALL_OVER ->
		for (i : 0 .. KEYS - 1) {
			assert(answers[i] == 1)
		}
		break }
	od
}
