/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shootdown.pml - other CPUs have forgotten a translation when flush_cpus() returns, and a page-table page is
 * reused only when no CPU can walk it or holds a pointer to it; while the vCPU comes and goes on its CPU and its
 * domain dies.
 *
 * CPU 0 takes a page away (flush), then destroys the domain (stop, epoch, free). CPU 1 runs the domain's vCPU,
 * idles, enters the kernel for calls of the guest. Written from
 *   post(), flush_cpus(), still_out(), flush_mask(), epoch_start(), epoch_passed(), serve_all(),
 *   cpu_enter_guest(), cpu_leave_guest(), cpu_idle_quiesce()      kernel/core/mm/tlbflush.c
 *   arch_vcpu_switch()                                            kernel/arch/x86_64/vcpu_arch.c
 *   sched_domain_stop(), sched_runs(), sched_exit_to_guest()      kernel/core/sched.c
 *   stage_stop(), stage_quiesce()                                 kernel/core/destroy.c
 * Accesses are sequentially consistent here, as the code's are at these places.
 *
 * Variants that must be refuted:
 *   LOOK_FIRST    cpu_enter_guest() reads its mail before it says that it is in the guest
 *   NO_ROOT_LOAD  coming back from idle the old root is taken for still loaded
 *   NO_EPOCH      the page is freed when the vCPU has stopped, without waiting for an epoch
 *   EPOCH_FIRST   serve_all() reads the epoch before it takes the mail
 */
mtype = { IN_KERNEL, IN_GUEST, IN_IDLE };

mtype place = IN_GUEST;		/* of CPU 1 */
bool want_flush, want_epoch;	/* its mailbox */
byte quiesced;			/* the last epoch it passed */
byte epoch_now;
bool ipi;
bool current = true;		/* the domain's vCPU is this CPU's current one */
bool stop;			/* WORK_STOP */
bool linked = true;		/* the page is in the domain's tables */
bool freed;			/* it belongs to somebody else */
bool tlb;			/* CPU 1 has a translation through it */
bool flushed;			/* flush_cpus() has returned */
bool finished;

inline flush_all()
{
	tlb = false
}

inline serve_all()
{
#ifdef EPOCH_FIRST
	epoch = epoch_now;
	d_step { wish = want_epoch; want_epoch = false; want_flush = false }
#else
	d_step { wish = want_epoch; want_epoch = false; want_flush = false }
	epoch = epoch_now;
#endif
	flush_all();
	if
	:: wish -> quiesced = epoch
	:: else
	fi
}

/* A call of this guest or of another one: finds the page if it is linked, uses it later. Serves FLUSH while it
 * spins. */
inline kernel_work()
{
	if
	:: linked -> held = true
	:: true
	fi;
	if
	:: want_flush -> want_flush = false; flush_all()
	:: true
	fi;
	assert(!(held && freed));
	held = false
}

/* The scheduler: leave if asked to, come back if the domain lives. */
inline schedule()
{
	if
	:: current && (stop || idles < 1) ->
		idles++;
		current = false;
#ifndef NO_ROOT_LOAD
		flush_all()	/* the kernel's root */
#endif
	:: !current && !stop ->
		current = true;
#ifndef NO_ROOT_LOAD
		flush_all()
#endif
	:: current && !stop
	:: !current
	fi
}

/* Nothing to run: until an interrupt comes. */
inline idle()
{
	place = IN_IDLE;
	if
	:: want_flush || want_epoch -> serve_all()
	:: else
	fi;
	if
	:: ipi -> ipi = false
	:: !stop		/* something to run came along */
	:: stop && finished -> goto end
	fi;
	place = IN_KERNEL
}

inline enter_guest()
{
#ifdef LOOK_FIRST
	if
	:: want_flush || want_epoch -> serve_all(); entered = false
	:: else -> place = IN_GUEST; entered = true
	fi
#else
	place = IN_GUEST;
	if
	:: want_flush || want_epoch -> place = IN_KERNEL; serve_all(); entered = false
	:: else -> entered = true
	fi
#endif
}

inline guest()
{
	do
	:: atomic { linked && rounds < 2 -> tlb = true }	/* a walk */
	:: tlb -> d_step { assert(!(tlb && (freed || flushed))) }; break
	:: ipi -> ipi = false; break
	:: !ipi && rounds < 2 -> break				/* a hypercall */
	od;
	rounds++
}

active proctype cpu1()
{
	bool wish, held, entered = true;
	byte epoch, rounds, idles;

	do
	:: entered -> guest(); place = IN_KERNEL; entered = false; kernel_work()
	:: !entered ->
		schedule();
		if
		:: current -> enter_guest()
		:: !current -> kernel_work(); idle()
		fi
	od;
end:	skip
}

inline post_epoch()
{
	want_epoch = true;
	if
	:: place != IN_KERNEL -> ipi = true
	:: else
	fi
}

active proctype cpu0()
{
	bool wait;
	byte ticket;

	/* AS_MAP UNMAP: out of the tables, then everybody forgets */
	linked = false;
	if
	:: current ->			/* flush_mask() */
		want_flush = true;
		if
		:: place == IN_GUEST -> ipi = true; !(place == IN_GUEST && want_flush)
		:: else
		fi
	:: else
	fi;
	flushed = true;

	/* DESTROY */
	stop = true;
	ipi = true;			/* the kick; an interrupt in the kernel or idle does no harm */
	!current;			/* sched_runs() */
	ticket = epoch_now + 1;
	epoch_now = ticket;
	post_epoch();
#ifndef NO_EPOCH
	quiesced >= ticket;
#endif
	freed = true;
	finished = true
}
