/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpreter.S - plays the rows of a frozen program as root domain: hypercalls with their arguments and what they
 * must answer, looks at memory, and a few steps between. Reports each row in KTAP on the kernel log, ends by
 * POWEROFF with exit code 0 or 1. It is part of the frozen program: its bytes are in the digest, so it never changes.
 *
 * The batch area is not touched between a call and the rows that look at it: calls work on `shadow`, which is copied
 * into the batch area before a call and out of it after.
 *
 *   row KIND, NUMBER, WANT, "name", arguments...
 * NUMBER is that of a hypercall, or X_ of a step. An argument, and WANT, may be SLOT(n): a value an earlier row kept.
 */
#define EQ 0	/* the result is WANT */
#define GE 1	/* the result, signed, is at least WANT */
#define LT 2	/* the result, signed, is less than WANT */
#define KEEP 3	/* the result is no error and is kept in slot WANT */
#define UNTIL 4	/* as EQ, and PV_EAGAIN means again */

#define X_GET4 0x100 /* (address, offset): the word there */
#define X_GET8 0x101
#define X_PUT4 0x102 /* (address, offset, value); not reported */
#define X_PUT8 0x103
#define X_ZERO 0x104 /* (address, bytes); not reported */
#define X_DOWN 0x105 /* (domain): waits until it has shut down; its state */
#define X_FIRST X_GET4
#define X_STEPS 6

#define TAG 0x5107
#define SLOT(n) (TAG<<48)+n /* without blanks: it is an argument of a macro */
#define SLOTS 64

#define ROW_KIND 0
#define ROW_NR 8
#define ROW_ARGS 16
#define ROW_WANT 64
#define ROW_NAME 72
#define ROW_SIZE 80

#define DOWN_TRIES 4000000

	.set reported, 0

	.macro row kind, nr, want, name, a0=0, a1=0, a2=0, a3=0, a4=0, a5=0
	.section .rows, "a", @progbits
	.quad \kind, \nr, \a0, \a1, \a2, \a3, \a4, \a5, \want
	.ifb \name
	.quad 0
	.else
	.quad 77f
	.section .names, "a", @progbits
77:	.asciz "\name"
	.set reported, reported + 1
	.endif
	.endm

	.macro keep_frame what, slot
	mov $\what, %eax
	shr $PV_PAGE_SHIFT, %eax
	mov %rax, slots + 8 * \slot
	.endm

	.section .text.start, "ax", @progbits
	.globl _start
_start:	/* rsi: start_info */
	mov %rsi, slots + 8 * S_START
	mov PVO_start_info_host_handle(%rsi), %eax
	mov %rax, slots + 8 * S_HOST
	mov PVO_start_info_vcs_addr(%rsi), %rax
	mov %rax, slots + 8 * S_VCS
	mov PVO_start_info_port_page_addr(%rsi), %rax
	mov %rax, slots + 8 * S_PORTS
	movq $shadow, slots + 8 * S_SHADOW
	movq $page, slots + 8 * S_PAGE
	keep_frame page, S_PAGE_GFN
	keep_frame events_child, S_EVENTS_GFN
	keep_frame walked_child, S_WALKED_GFN
	mov $out, %r15
	mov $version, %rsi
	call put_text
	mov $1, %eax
	call put_number
	mov $dots, %rsi
	call put_text
	mov $rows_reported, %eax
	call put_number
	call flush
	mov $rows, %rbx
	xor %r13d, %r13d	/* rows reported */
	xor %r14d, %r14d	/* rows that failed */
1:	cmp $rows_end, %rbx
	jae 2f
	call play
	add $ROW_SIZE, %rbx
	jmp 1b
2:	xor %edx, %edx
	test %r14, %r14
	setnz %dl
	add $PV_EXIT_BASE, %edx
	mov $PV_HC_HOST_CTL, %eax
	mov $PV_HOST_CTL_POWEROFF, %edi
	mov slots + 8 * S_HOST, %rsi
	syscall
	ud2

/* One row: rbx. r12: what came, rbp: what was wanted. */
play:
	xor %ecx, %ecx
1:	mov ROW_ARGS(%rbx,%rcx,8), %rax
	call value
	mov %rax, args(,%rcx,8)
	inc %ecx
	cmp $6, %ecx
	jb 1b
	mov ROW_WANT(%rbx), %rax
	call value
	mov %rax, %rbp
2:	call act
	mov %rax, %r12
	mov ROW_KIND(%rbx), %rcx
	cmp $UNTIL, %rcx
	jne 3f
	cmp $-PV_EAGAIN, %r12
	je 2b
3:	call judge		/* al: 1 good */
	cmpq $0, ROW_NAME(%rbx)
	je 9f
	inc %r13
	mov $ok, %rsi
	test %al, %al
	jnz 4f
	inc %r14
	mov $got, %rsi
	call put_text
	mov %r12, %rax
	call put_hex
	mov $wanted, %rsi
	call put_text
	mov %rbp, %rax
	call put_hex
	call flush
	mov $not_ok, %rsi
4:	call put_text
	mov %r13, %rax
	call put_number
	movb $' ', (%r15)
	inc %r15
	mov ROW_NAME(%rbx), %rsi
	call put_text
	call flush
9:	ret

/* rax: a value or SLOT(n) -> the value. */
value:
	mov %rax, %rdx
	shr $48, %rdx
	cmp $TAG, %rdx
	jne 1f
	and $SLOTS - 1, %eax
	mov slots(,%rax,8), %rax
1:	ret

judge:
	cmp $GE, %rcx
	je 1f
	cmp $LT, %rcx
	je 2f
	cmp $KEEP, %rcx
	je 3f
	cmp %rbp, %r12
	sete %al
	ret
1:	cmp %rbp, %r12
	setge %al
	ret
2:	cmp %rbp, %r12
	setl %al
	ret
3:	mov %r12, slots(,%rbp,8)
	test %r12, %r12
	setns %al
	ret

/* Does what the row says with args[]; rax: the result. */
act:
	mov ROW_NR(%rbx), %rax
	lea -X_FIRST(%rax), %rcx
	cmp $X_STEPS, %rcx
	jae hypercall
	mov args, %rdi
	mov args + 8, %rsi
	mov args + 16, %rdx
	jmp *steps(,%rcx,8)
get4:	mov (%rdi,%rsi), %eax
	ret
get8:	mov (%rdi,%rsi), %rax
	ret
put4:	mov %edx, (%rdi,%rsi)
	xor %eax, %eax
	ret
put8:	mov %rdx, (%rdi,%rsi)
	xor %eax, %eax
	ret
zero:	mov %rsi, %rcx
	xor %eax, %eax
	cld
	rep stosb
	ret
down:	mov $DOWN_TRIES, %r12d
1:	mov $PV_HC_DOM_CTL, %eax
	mov $PV_DOM_CTL_STATUS, %edi
	mov args, %rsi
	xor %edx, %edx
	syscall
	test %rax, %rax
	js 2f
	mov slots + 8 * S_VCS, %rax
	mov PVO_vcs_batch + PVO_dom_status_state(%rax), %eax
	cmp $PV_DOM_SHUTDOWN, %eax
	je 2f
	dec %r12d
	jz 2f
	mov $PV_HC_VCPU_CTL, %eax
	mov $PV_VCPU_CTL_YIELD, %edi
	xor %esi, %esi
	xor %r10d, %r10d
	syscall
	jmp 1b
2:	ret

hypercall:
	push %rax
	mov $shadow, %rsi
	mov slots + 8 * S_VCS, %rdi
	add $PVO_vcs_batch, %rdi
	mov $2048, %ecx
	cld
	rep movsb
	pop %rax
	mov args, %rdi
	mov args + 8, %rsi
	mov args + 16, %rdx
	mov args + 24, %r10
	mov args + 32, %r8
	mov args + 40, %r9
	syscall
	mov slots + 8 * S_VCS, %rsi
	add $PVO_vcs_batch, %rsi
	mov $shadow, %edi
	mov $2048, %ecx
	rep movsb
	ret

/* ---- the report: r15 is where the line goes on ---- */

put_text:	/* rsi */
	lodsb
	test %al, %al
	jz 1f
	mov %al, (%r15)
	inc %r15
	jmp put_text
1:	ret

put_number:	/* rax, decimal */
	mov $10, %esi
	mov $digits + 24, %rdi
	xor %ecx, %ecx
1:	xor %edx, %edx
	div %rsi
	add $'0', %dl
	dec %rdi
	mov %dl, (%rdi)
	inc %ecx
	test %rax, %rax
	jnz 1b
	jmp copy_digits

put_hex:	/* rax */
	mov $digits + 24, %rdi
	xor %ecx, %ecx
1:	mov %eax, %edx
	and $15, %edx
	mov hex(%rdx), %dl
	dec %rdi
	mov %dl, (%rdi)
	inc %ecx
	shr $4, %rax
	jnz 1b
copy_digits:
	mov %rdi, %rsi
	mov %r15, %rdi
	cld
	rep movsb
	mov %rdi, %r15
	ret

flush:
	movb $'\n', (%r15)
	inc %r15
	mov $out, %esi
	mov %r15, %rcx
	sub %rsi, %rcx
	mov %rcx, %rdx
	mov slots + 8 * S_VCS, %rdi
	add $PVO_vcs_batch, %rdi
	cld
	rep movsb
	mov $PV_HC_HOST_CTL, %eax
	mov $PV_HOST_CTL_LOG_WRITE, %edi
	mov slots + 8 * S_HOST, %rsi
	syscall
	mov $out, %r15
	ret

	.section .names, "a", @progbits
version: .asciz "KTAP version 1\n"
dots:	.asciz ".."
ok:	.asciz "ok "
not_ok:	.asciz "not ok "
got:	.asciz "# got 0x"
wanted:	.asciz ", want 0x"
hex:	.ascii "0123456789abcdef"
	.balign 8
steps:	.quad get4, get8, put4, put8, zero, down

	.section .rows, "a", @progbits
	.balign 16
rows:

	.bss
	.balign 4096
page:	.skip 4096
shadow:	.skip 2048
slots:	.skip 8 * SLOTS
args:	.skip 8 * 6
digits:	.skip 32
out:	.skip 512
