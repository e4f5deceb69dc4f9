/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wakeup.pml - an event that is sent while its receiver falls asleep is not lost.
 *
 * Two senders on CPUs of their own, one vCPU that handles what is pending and waits. Written from
 *   vcpu_post_port(), vcpu_post(), notify(), event_check()     kernel/arch/x86_64/event.c
 *   vcpu_wait()                                                kernel/core/vcpu.c
 *   schedule(), decide_fate(), settle(), wake()                kernel/core/sched.c
 * Atomic operations of the code are single steps here, everything else may be interleaved. The guest masks and
 * unmasks a port as it likes; after unmasking it looks whether the port is pending, as the ABI wants.
 *
 * Variants that must be refuted:
 *   NO_RECHECK     settle() does not look again after it has shown the vCPU as blocked
 *   WAKE_IF_FIRST  notify() wakes only if it was the first to set WORK_EVENTS
 *   SEL_LAST       the poster sets the word's bit after the vector
 */
mtype = { RUNNING, RUNNABLE, BLOCKED };

mtype state = RUNNING;
bool rq_lock;
bool post, post_sel;		/* v->post[], v->post_port_sel */
bool pend, port_sel;		/* the guest's page */
bool pending[2], mask[2];	/* the port page */
bool work_events, work_block;	/* v->exit_work */
bool kick;			/* an interrupt on its way to the vCPU's CPU */
byte done;

#define LOCK atomic { !rq_lock -> rq_lock = true }
#define UNLOCK rq_lock = false

inline send(p)
{
	d_step { was = pending[p]; pending[p] = true }
	if
	:: was
	:: else ->
		if
		:: mask[p]
		:: !mask[p] ->
#ifndef SEL_LAST
			post_sel = true;
#endif
			d_step { was = post; post = true }
			if
			:: was
			:: else -> notify()
			fi
#ifdef SEL_LAST
			; post_sel = true
#endif
		fi
	fi
}

inline notify()
{
	d_step { before = work_events; work_events = true }
	if
#ifdef WAKE_IF_FIRST
	:: state == BLOCKED && !before ->
#else
	:: state == BLOCKED ->
#endif
		LOCK;
		if
		:: state == BLOCKED -> state = RUNNABLE
		:: else
		fi;
		UNLOCK
	:: else ->
		if
		:: !before -> kick = true
		:: else
		fi
	fi
}

proctype sender(byte p; byte sends)
{
	byte n;
	bool was, before;

	do
	:: n < sends -> send(p); n++
	:: else -> break
	od;
	done++
}

inline event_check()
{
	work_events = false;
	if
	:: post -> post = false; pend = true	/* nobody else clears it: the exchange may be two steps */
	:: else
	fi;
	if
	:: post_sel -> d_step { post_sel = false; port_sel = true }
	:: else
	fi
}

/* schedule() with work to do, up to the point where the vCPU runs again. */
inline schedule()
{
	LOCK;
	d_step { block = work_block; work_block = false }
	if
	:: block && !post && !pend ->
		state = BLOCKED;
		if
#ifndef NO_RECHECK
		:: post || pend -> state = RUNNABLE
#endif
		:: else
		fi
	:: else
	fi;
	UNLOCK;
end_asleep:
	state != BLOCKED;
	LOCK;
	state = RUNNING;
	UNLOCK
}

inline leave_kernel()
{
	do
	:: work_block -> schedule()
	:: !work_block && work_events -> event_check()
	:: !work_block && !work_events -> break
	od
}

inline handle(p)
{
	if
	:: pending[p] && !mask[p] -> pending[p] = false
	:: else
	fi
}

inline guest()
{
	if
	:: pend ->
		pend = false;
		if
		:: port_sel -> port_sel = false; handle(0); handle(1)
		:: else
		fi
	:: !pend && !masked -> mask[0] = true; masked = true
	:: mask[0] -> mask[0] = false; handle(0)
	:: !pend && !mask[0] ->		/* vcpu_wait() */
		if
		:: work_events = true	/* with PV_WAIT_ENABLE */
		:: true
		fi;
		if
		:: post || pend
		:: else -> work_block = true
		fi
	fi
}

active proctype receiver()
{
	bool block, masked;

	run sender(0, 1);
	run sender(1, 1);
	do
	:: true ->
		if
		:: kick -> kick = false
		:: !kick -> guest()
		fi;
		leave_kernel()
	od
}

/* Nothing can go on: the receiver sleeps. Then there is nothing it should have been told. */
active proctype watch()
{
	timeout -> assert(done == 2 && !(pending[0] && !mask[0]) && !pending[1])
}
