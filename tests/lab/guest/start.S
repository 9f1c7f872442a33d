// SPDX-License-Identifier: MIT
/*
 * A bzImage of one page of assembler and guest.c: the setup header (Linux: Documentation/arch/x86/boot.rst), the 64-bit entry, and
 * what other CPUs begin with. The monitor gives page tables for the first 4 GiB and a GDT at 0x500 with code at 0x10, data at 0x18.
 */
	.section .header, "a"
	.org 0x1f1
	.byte 1                 /* setup_sects */
	.word 0
	.long 0
	.word 0, 0, 0
	.word 0xaa55
	.byte 0xeb, 0x66        /* jump: no kernel does */
	.ascii "HdrS"
	.word 0x20c             /* version: the first with a 64-bit entry */
	.long 0
	.word 0, 0
	.byte 0, 1              /* loaded high */
	.word 0
	.long 0x100000
	.long 0, 0, 0
	.word 0
	.byte 0, 0
	.long 0
	.long 0x7fffffff        /* initrd_addr_max */
	.long 0x200000
	.byte 0, 21
	.word 1                 /* xloadflags: has the 64-bit entry */
	.long 2047              /* cmdline_size */
	.long 0
	.quad 0, 0, 0
	.quad 0x100000          /* pref_address */
	.long end_of_memory - 0x100000
	.org 1024

	.section .text.first, "ax"
	.code64
	.org 0x200
	lea first_stack(%rip), %rsp
	mov %rsi, %rdi
	call guest_main
1:	hlt
	jmp 1b

/* Copied to 0x8000, where other CPUs come from their start-up interrupt. */
	.globl other_cpu, other_cpu_end
	.code16
other_cpu:
	cli
	lgdtl %cs:gdt - other_cpu
	mov $0x620, %eax
	mov %eax, %cr4
	mov $0x9000, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov $0x80000033, %eax
	mov %eax, %cr0
	ljmpl $0x10, $other_cpu_64
	.balign 4
gdt:	.word 31
	.long 0x500
other_cpu_end:
	.code64
other_cpu_64:
	mov $0x18, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $1, %eax
	lock xadd %eax, cpus(%rip)
	mov %eax, %edi
	inc %eax
	shl $12, %eax
	lea stacks(%rip), %rsp
	add %rax, %rsp
	call guest_other
2:	hlt
	jmp 2b

	.bss
	.balign 4096
	.skip 4096
first_stack:
	.globl stacks
stacks:	.skip 4096 * 65
