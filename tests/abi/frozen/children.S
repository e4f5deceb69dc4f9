/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * children.S - the two children of a frozen program: a page of code each, copied into the child and run there at
 * AT(CODE). What they see they write into the page SHARE, word by word; the rows of the program look at it.
 */
#define SEE AT(SHARE)		/* words for the parent */
#define LAST AT(SHARE)+0x800	/* the last event, as the entry point found it */
#define LAST_VECTOR LAST
#define LAST_RIP LAST+8
#define LAST_BUSY LAST+16
#define LAST_CR2 LAST+24
#define LAST_ERROR LAST+32
#define LAST_PEND LAST+40	/* two words */
#define BATCH AT(VCS)+PVO_vcs_batch
#define KFRAME AT(VCS)+PVO_vcs_kframe
#define UFRAME AT(VCS)+PVO_vcs_uframe

	.macro see word
	mov %rax, SEE+8*\word
	.endm
	.macro copy from, word
	mov \from, %rax
	see \word
	.endm
	.macro copy_last field, to
	mov KFRAME+\field, %rax
	mov %rax, \to
	.endm
	.macro call_pv nr, a=0, b=0, c=0
	mov $\nr, %eax
	mov $\a, %rdi
	mov $\b, %rsi
	mov $\c, %rdx
	syscall
	.endm

	.section .children, "a", @progbits
	.balign 4096
/* rdi: a number to find, rsi: the port to the parent. */
events_child:
	mov %rdi, SEE
	mov %rsi, %r13
	call_pv PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, VCS
	see 1
	call_pv PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_PORT_PAGE, PORTS
	see 2
	call_pv PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_KERNEL_GS, SEE
	see 3
	copy %gs:0, 4
	lea events_entry(%rip), %rax
	mov %rax, BATCH+PVO_entry_kernel_entry
	lea events_erets(%rip), %rax
	mov %rax, BATCH+PVO_entry_erets
	call_pv PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY, 0
	see 5
	lea 1f(%rip), %r14	/* where an exception goes on */
events_ud2:
	ud2
1:	copy LAST_VECTOR, 6
	copy LAST_RIP, 7
	copy LAST_BUSY, 8
	lea 1f(%rip), %r14
	mov %rax, 0x600000
1:	copy LAST_VECTOR, 9
	copy LAST_CR2, 10
	copy LAST_ERROR, 11
	call_pv PV_HC_SEND_IPI, 1, 0x41
	call_pv PV_HC_WAIT, PV_WAIT_ENABLE, PV_FOREVER
	see 12
	copy LAST_VECTOR, 13
	copy LAST_PEND+8, 14
	call off
	call_pv PV_HC_TIMER_SET, 1
	call_pv PV_HC_WAIT, PV_WAIT_ENABLE, PV_FOREVER
	see 15
	copy LAST_PEND, 16
	call off
	mov $PV_HC_PORT_SEND, %eax
	mov %r13, %rdi
	syscall
	see 17
	call_pv PV_HC_WAIT, PV_WAIT_ENABLE, PV_FOREVER
	copy LAST_PEND, 18
	call_pv PV_HC_DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, (PV_REASON_POWEROFF<<32)+7

off:	andq $~PV_VCS_IF, AT(VCS)+PVO_vcs_flags
	ret

/* Every register but rcx and r11 is the interrupted code's; virtual IF is 0. */
events_entry:
	push %rax
	copy_last PVO_frame_vector, LAST_VECTOR
	copy_last PVO_frame_rip, LAST_RIP
	copy_last PVO_frame_error, LAST_ERROR
	mov AT(VCS)+PVO_vcs_busy, %rax
	mov %rax, LAST_BUSY
	mov AT(VCS)+PVO_vcs_cr2, %rax
	mov %rax, LAST_CR2
	cmpq $PV_VEC_IRQ, LAST_VECTOR
	je 1f
	mov %r14, KFRAME+PVO_frame_rip
	jmp 2f
1:	xor %eax, %eax
	xchg %rax, AT(VCS)+PVO_vcs_pend
	mov %rax, LAST_PEND
	xor %eax, %eax
	xchg %rax, AT(VCS)+PVO_vcs_pend+8
	mov %rax, LAST_PEND+8
2:	movq $0, AT(VCS)+PVO_vcs_busy
	pop %rax
	syscall
events_erets:
	ud2

	.balign 4096
/* Virtual is guest-physical at first. */
walked_child:
	call_pv PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_VCS, VCS
	see 0
	lea walked_event(%rip), %rax
	mov %rax, BATCH+PVO_entry_kernel_entry
	lea walked_user_event(%rip), %rax
	mov %rax, BATCH+PVO_entry_user_entry
	lea walked_syscall(%rip), %rax
	mov %rax, BATCH+PVO_entry_syscall_entry
	lea walked_eretu(%rip), %rax
	mov %rax, BATCH+PVO_entry_eretu
	mov %rax, BATCH+PVO_entry_erets
	call_pv PV_HC_VCPU_SETUP, PV_VCPU_SETUP_SET_ENTRY, 0
	see 1
	/* Two large pages over the same frames: one for the kernel at its place, one for user mode at USER. */
	movq $AT(TABLES)+0x1003, AT(TABLES)
	movq $AT(TABLES)+0x2003, AT(TABLES)+0x1000
	movq $AT(CODE)+0x83, AT(TABLES)+0x2000+8*2
	movq $AT(TABLES)+0x3007, AT(TABLES)+8*2
	movq $AT(TABLES)+0x4007, AT(TABLES)+0x3000
	movq $AT(CODE)+0x87, AT(TABLES)+0x4000
	call_pv PV_HC_AS_LOAD_ROOT, AT(TABLES)+0x800
	see 2
	call_pv PV_HC_AS_LOAD_ROOT, 0x4000000
	see 3
	call_pv PV_HC_AS_LOAD_ROOT, AT(TABLES)
	see 4
	movabs $USER+walked_program-walked_child, %rax
	jmp enter

walked_syscall:	/* rsp is user mode's; rcx and r11 are in the frame */
	mov %rdi, SEE+8*5
	copy UFRAME+PVO_frame_rcx, 6
enter:	/* rax: where in user mode */
	mov %rax, UFRAME+PVO_frame_rip
	mov %rax, UFRAME+PVO_frame_rcx
	movq $PV_USER_CS, UFRAME+PVO_frame_cs
	movq $PV_USER_SS, UFRAME+PVO_frame_ss
	movq $0x202, UFRAME+PVO_frame_rflags
	movq $0x202, UFRAME+PVO_frame_r11
	syscall
walked_eretu:
	ud2

walked_user_event:
	copy UFRAME+PVO_frame_vector, 7
	copy UFRAME+PVO_frame_error, 8
	copy AT(VCS)+PVO_vcs_cr2, 9
	copy UFRAME+PVO_frame_cs, 10
	mov AT(TABLES)+0x2000+8*2, %rax
	and $0x60, %eax
	see 11
	call_pv PV_HC_AS_FLUSH, PV_FOREVER
	see 12
	call_pv PV_HC_AS_CTL, PV_AS_CTL_DROP, AT(TABLES)+0x4000
	see 13
	call_pv PV_HC_DOM_CTL, PV_DOM_CTL_SHUTDOWN, PV_SELF, (PV_REASON_HALT<<32)+9
walked_event:
	ud2

walked_program:	/* user mode */
	mov $0x77, %edi
	syscall
walked_after:
	movq $1, AT(SHARE)
	ud2
	.balign 4096
