/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_vcpu.c - two vCPUs at a third one, which starts, stops, is looked at and written to; and one that falls
 * asleep while the other wakes it. See lib/pair.h.
 */
#include <string.h>

#include "../lib/pair.h"
#include "../lib/turns.h"

#define VCPU IT(DOM), 0
#define START_IT DO(VCPU_CTL, START, VCPU)
#define STOP_IT DO(VCPU_CTL, STOP, VCPU)
#define KICK_IT DO(VCPU_CTL, KICK, VCPU)
#define DESTROY_IT DO(DOM_CTL, DESTROY, IT(DOM))
#define VCPU_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-005.1", pair_run, PAIR(.clear = domain_clear, ##__VA_ARGS__))
#define DYING_PAIR(name, before, what) \
	VCPU_PAIR(name##_destroy, .setup = before, .state = domain_gone, .a = what, .b = DESTROY_IT, \
		  ALSO(MAY(-PV_EDEAD, 0)))

/* ---- starting and stopping ---- */

/* Whether it is stopped. */
static u64 stopped(void)
{
	struct pv_runstate state;

	CHECK_OK(OP(VCPU_CTL, STATUS, things[DOM], 0));
	batch_get(&state, sizeof(state));
	return state.state == 0;
}

VCPU_PAIR(vcpu_start_start, .setup = domain_idle, .state = stopped, .a = START_IT, .b = START_IT);
VCPU_PAIR(vcpu_start_stop, .setup = domain_idle, .state = stopped, .a = START_IT, .b = STOP_IT);
VCPU_PAIR(vcpu_stop_stop, .setup = domain_spinning, .state = stopped, .a = STOP_IT, .b = STOP_IT);
/* STOP is over when it has stopped, even if it runs again by then. */
static i64 stop_and_start(void)
{
	i64 result = OP(VCPU_CTL, STOP, things[DOM], 0);

	return result ? result : OP(VCPU_CTL, START, things[DOM], 0);
}

VCPU_PAIR(vcpu_stop_restart, .setup = domain_spinning, .state = stopped, .a = STOP_IT, .b = RUN(stop_and_start));
VCPU_PAIR(vcpu_stop_kick, .setup = domain_spinning, .state = stopped, .a = STOP_IT, .b = KICK_IT);
VCPU_PAIR(vcpu_stop_pause, .setup = domain_spinning, .state = stopped, .a = STOP_IT, .b = DO(DOM_CTL, PAUSE, IT(DOM)));
VCPU_PAIR(vcpu_stop_unpause, .setup = domain_paused, .state = stopped, .a = STOP_IT,
	  .b = DO(DOM_CTL, UNPAUSE, IT(DOM)));
VCPU_PAIR(vcpu_start_unpause, .setup = domain_built, .state = stopped, .a = START_IT,
	  .b = DO(DOM_CTL, UNPAUSE, IT(DOM)));
VCPU_PAIR(vcpu_status_stop, .setup = domain_spinning, .state = stopped, .a = DO(VCPU_CTL, STATUS, VCPU), .b = STOP_IT);
VCPU_PAIR(vcpu_create_create, .setup = domain_empty, .a = DO(VCPU_CTL, CREATE, VCPU), .b = DO(VCPU_CTL, CREATE, VCPU));
VCPU_PAIR(vcpu_create_start, .setup = domain_empty, .a = DO(VCPU_CTL, CREATE, VCPU), .b = START_IT);
VCPU_PAIR(vcpu_create_unpause, .setup = domain_empty, .a = DO(VCPU_CTL, CREATE, VCPU),
	  .b = DO(DOM_CTL, UNPAUSE, IT(DOM)));
DYING_PAIR(vcpu_create, domain_empty, DO(VCPU_CTL, CREATE, VCPU));
DYING_PAIR(vcpu_start, domain_idle, START_IT);
DYING_PAIR(vcpu_stop, domain_spinning, STOP_IT);
DYING_PAIR(vcpu_kick, domain_spinning, KICK_IT);

/* ---- registers ---- */

static i64 set_registers(u64 pattern)
{
	registers_put(pattern);
	return OP(VCPU_REGS, SET, things[DOM], 0);
}

static i64 set_old(void)
{
	return set_registers(OLD_REGISTERS);
}

static i64 set_new(void)
{
	return set_registers(NEW_REGISTERS);
}

/* The pattern it finds, or an error. */
static i64 get_registers(void)
{
	struct pv_vcpu_gpr gpr;
	i64 result = OP(VCPU_REGS, GET, things[DOM], 0);

	memcpy(&gpr, this_abi_cpu()->vcs->batch, sizeof(gpr));
	return result < 0 ? result : (i64)registers_pattern(&gpr);
}

/* With what registers it stands or runs, after a while: all of one pattern, and not with interrupts off. */
static u64 registers_there(void)
{
	u64 running = !stopped();

	if (running)
		HC(WAIT, 0, clock_ns() + MS / 20);
	CHECK_OK(OP(VCPU_CTL, STOP, things[DOM], 0));
	i64 pattern = get_registers();

	return (u64)pattern << 1 | running;
}

#define REGISTER_PAIR(name, ...) VCPU_PAIR(name, .state = registers_there, ##__VA_ARGS__)
REGISTER_PAIR(regs_set_start, .setup = domain_idle, .a = RUN(set_new), .b = START_IT);
REGISTER_PAIR(regs_set_stop, .setup = domain_spinning, .a = RUN(set_new), .b = STOP_IT);
REGISTER_PAIR(regs_set_set, .setup = domain_idle, .a = RUN(set_new), .b = RUN(set_old));
REGISTER_PAIR(regs_get_set, .setup = domain_idle, .a = RUN(get_registers), .b = RUN(set_new));
REGISTER_PAIR(regs_get_start, .setup = domain_idle, .a = RUN(get_registers), .b = START_IT);
REGISTER_PAIR(regs_set_unpause, .setup = domain_paused, .a = RUN(set_new), .b = DO(DOM_CTL, UNPAUSE, IT(DOM)));
REGISTER_PAIR(regs_get_unpause, .setup = domain_paused, .a = RUN(get_registers), .b = DO(DOM_CTL, UNPAUSE, IT(DOM)));
DYING_PAIR(regs_set, domain_idle, RUN(set_new));

static i64 get_any(void)
{
	i64 result = get_registers();

	return result < 0 ? result : 0;
}

DYING_PAIR(regs_get, domain_idle, RUN(get_any));

/* ---- falling asleep ---- */

#define WAKE_VECTOR 0x44u

/* Until something comes, however long that takes. */
static i64 sleep_on(void)
{
	return HC(WAIT, 0, PV_FOREVER);
}

static void nothing(void)
{
}

static u64 pending_b(void)
{
	u64 any = 0;

	for (u32 i = 0; i < 4; i++)
		any |= __atomic_load_n(&abi_cpus[1].vcs->pend[i], __ATOMIC_SEQ_CST);
	return any;
}

static void ports_to_b(void)
{
	connected();
	CHECK_OK(OP(PORT_CTL, MOVE, things[PEER], 1));
}

static void awake_clear(void)
{
	for (u32 i = 0; i < 4; i++)
		__atomic_store_n(&abi_cpus[1].vcs->pend[i], 0, __ATOMIC_SEQ_CST);
}

#define SLEEP_PAIR(name, ...) \
	PV_ROW(pair_##name, "PVABI-PAR-005.1", pair_run, \
	       PAIR(.b = RUN(sleep_on), .one_order = true, .state = pending_b, ##__VA_ARGS__))
SLEEP_PAIR(kick_wait, .setup = nothing, .clear = awake_clear, .a = DO(VCPU_CTL, KICK, PV_SELF, 1));
SLEEP_PAIR(ipi_wait, .setup = nothing, .clear = awake_clear, .a = DO_CALL(SEND_IPI, 2, WAKE_VECTOR));
SLEEP_PAIR(send_wait, .setup = ports_to_b, .clear = ports_clear, .a = DO_CALL(PORT_SEND, IT(PORT)));
SLEEP_PAIR(close_wait, .setup = ports_to_b, .clear = ports_clear, .a = DO(PORT_CTL, CLOSE, IT(PORT)));
