/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grant.pml - no store of a holder lands in a frame its owner has got back.
 *
 * Two grants of one frame each, one holder with one record and one gfn. The owner revokes each and releases its
 * frame; the holder maps and unmaps and stores, and may die. Written from
 *   grant_map(), grant_unmap(), record_shrink(), revoke_use(), revoke_step(), drop_records()
 *                                                              kernel/core/mm/grant.c
 *   mem_release()                                              kernel/core/mm/mem.c
 *   flush_cpus() as one step: shootdown.pml is about that.
 *
 * Variants that must be refuted:
 *   NO_FLUSH    revoke_step() ends the use without flushing the holder
 *   NO_SERIAL   record_shrink() does not ask whether the record is still the same use
 *   EARLY_END   grant_unmap() ends the use before the flush
 */
#define NONE 9
#define DUMMY 8

mtype = { LIVE, REVOKING, GONE };

mtype gstate[2] = LIVE;
byte use_serial[2];		/* 0 = no use */
bool freed[2];			/* the frame belongs to somebody else */
byte rec_left, rec_grant, rec_serial;
byte gfn = NONE;		/* what the holder's gfn shows: NONE, a grant, DUMMY */
byte tlb = NONE;		/* what the holder's CPU remembers of it */
byte last_serial;
bool grant_lock, mm_lock, dying, dead;

#define GLOCK atomic { !grant_lock -> grant_lock = true }
#define GUNLOCK grant_lock = false
#define MLOCK atomic { !mm_lock -> mm_lock = true }
#define MUNLOCK mm_lock = false
#define FLUSH tlb = NONE

/* Both locks but mm_lock are the caller's. */
inline record_shrink(serial)
{
	if
#ifdef NO_SERIAL
	:: rec_left ->
#else
	:: rec_left && rec_serial == serial ->
#endif
		rec_left = 0;
		if
		:: use_serial[rec_grant] == rec_serial -> use_serial[rec_grant] = 0
		:: else
		fi
	:: else
	fi
}

inline map(g)
{
	GLOCK;
	if
	:: gstate[g] == LIVE && !use_serial[g] && !rec_left && !dying ->
		MLOCK;
		if
		:: gfn == NONE ->
			last_serial++;
			gfn = g;
			rec_left = 1;
			rec_grant = g;
			rec_serial = last_serial;
			use_serial[g] = last_serial
		:: else
		fi;
		MUNLOCK
	:: else
	fi;
	GUNLOCK
}

inline unmap()
{
	GLOCK;
	serial = (rec_left -> rec_serial : 0);
	MLOCK;
	granted = gfn < DUMMY && !dying;
	if
	:: gfn != NONE && !dying -> gfn = NONE
	:: else
	fi;
	MUNLOCK;
#ifdef EARLY_END
	if
	:: granted -> record_shrink(serial)
	:: else
	fi;
#endif
	GUNLOCK;
	FLUSH;
#ifndef EARLY_END
	if
	:: granted -> GLOCK; record_shrink(serial); GUNLOCK
	:: else
	fi
#endif
}

/* The system calls of the holder, from another of its vCPUs than the one that stores. */
active proctype holder()
{
	byte serial, n;
	bool granted;

	do
	:: n < 4 && !dying -> n++;
		if
		:: map(0)
		:: map(1)
		:: unmap()
		fi
	:: break
	od;
	dead = true	/* it has left the kernel: an epoch may pass */
}

active proctype stores()
{
end:	do
	:: !dying ->
		if
		:: tlb == NONE ->
			MLOCK;
			if
			:: !dying -> tlb = gfn
			:: else
			fi;
			MUNLOCK
		:: tlb < DUMMY -> d_step { assert(tlb >= DUMMY || !freed[tlb]) }
		:: tlb == DUMMY
		fi
	:: dying -> break
	od
}

inline revoke(g)
{
	byte serial;
	bool flush;

	do
	:: GLOCK;
		gstate[g] = REVOKING;
		if
		:: !use_serial[g] -> gstate[g] = GONE; GUNLOCK; break
		:: else ->
			serial = use_serial[g];
			flush = false;
			if
			:: dying || !rec_left || rec_serial != serial -> use_serial[g] = 0
			:: else ->
				MLOCK;
				if
				:: gfn == g -> gfn = DUMMY
				:: else
				fi;
				MUNLOCK;
				flush = true
			fi;
			GUNLOCK;
			if
			:: flush ->
#ifndef NO_FLUSH
				FLUSH;
#endif
				GLOCK;
				record_shrink(serial);
				GUNLOCK
			:: else
			fi
		fi
	od
}

active proctype owner()
{
	revoke(0);
	freed[0] = true;	/* RELEASE, refused while the grant holds a reference */
	revoke(1);
	freed[1] = true
}

/* The holder is destroyed: nothing of it runs (its last flush), then its records go. */
active proctype reaper()
{
	if
	:: dead ->
		d_step { dying = true; FLUSH };
		GLOCK;
		record_shrink(rec_serial);
		GUNLOCK
	:: skip
	fi
}
