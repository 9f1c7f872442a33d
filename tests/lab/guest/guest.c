// SPDX-License-Identifier: MIT
/*
 * The smallest guest of the kvm engine that can tell whether its memory is right: up in no time
 * where Linux takes a minute of emulation. On its command line, numbers in hexadecimal after 0x and
 * else in decimal, sizes with M or G:
 *
 *   write      stamp `pages` pages from `at` on, and keep on: look whether each is as it was left,
 * stamp it anew. With more than one CPU, the others read meanwhile, and what they see may never be
 * older than what was announced. read       read the initrd over and over: its sum never changes.
 * With `store`, at the end store to all its pages. hand       CPU 0 stamps `pages` pages; then the
 * last CPU alone uses them, with interrupts on: only then KVM lets others wait for its faults.
 * first      each of `cpus` CPUs stamps its part of the pages, the first without interrupts.
 * at= pages= seconds=   where, how many, for how long
 *
 * Each page stamped begins with "lab page". It says `stamped`, `round` after each, `fault: ...` at
 * the first thing wrong, and `done ROUNDS SUM` at the end.
 */
#include <asm/bootparam.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	PAGE = 4096,
	WORDS = PAGE / 8,
	UART = 0x3f8,
	POWER = 0x600,
	POWER_OFF = 0x34,
	GIB_SHIFT = 30,
	GIBS = 64,
	STARTUP = 0x8000
};
#define LOCAL_APIC ((volatile uint32_t *)0xfee00000u)
#define TAG        0x656761702062616cull /* "lab page" */

struct page {
	volatile uint64_t word[WORDS];
};

extern const uint8_t other_cpu[], other_cpu_end[];
volatile uint32_t cpus = 1;
static volatile uint32_t handed; /* pages are the last CPU's now */
static volatile uint32_t parts;  /* stamped */
static volatile uint64_t announced;
static volatile bool over;
static const char *line;
static struct page *pages;
static uint64_t n_pages, seconds;
static uint64_t directory[GIBS][512] __attribute__((aligned(PAGE)));

/* Written by the monitor (Linux: Documentation/virt/kvm/x86/msr.rst). */
static volatile struct {
	uint32_t version, pad;
	uint64_t tsc, ns;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, more[2];
} clock __attribute__((aligned(64)));

void guest_main(struct boot_params *params);
void guest_other(uint32_t cpu);

/* ---- the machine */

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static void say(const char *text)
{
	while (*text)
		out(UART, (uint8_t)*text++);
}

static void say_hex(uint64_t value)
{
	for (int i = 60; i >= 0; i -= 4)
		out(UART, (uint8_t) "0123456789abcdef"[value >> i & 15]);
}

static void __attribute__((noreturn)) power_off(void)
{
	out(POWER, POWER_OFF);
	for (;;)
		__asm__ volatile("hlt");
}

static void __attribute__((noreturn))
fault(const char *what, uint64_t page, uint64_t seen, uint64_t wanted)
{
	say("fault: ");
	say(what);
	say(" page ");
	say_hex(page);
	say(" has ");
	say_hex(seen);
	say(" for ");
	say_hex(wanted);
	say("\n");
	power_off();
}

static void write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t now_ns(void)
{
	uint32_t low, high, version;
	uint64_t t;

	do {
		version = clock.version;
		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
		t = ((uint64_t)high << 32 | low) - clock.tsc;
		t = clock.shift < 0 ? t >> -clock.shift : t << clock.shift;
		t = (uint64_t)((unsigned __int128)t * clock.mul >> 32) + clock.ns;
	} while ((version & 1) || version != clock.version);
	return t;
}

static void start_others(void)
{
	for (uint64_t i = 0; other_cpu + i < other_cpu_end; i++)
		((volatile uint8_t *)STARTUP)[i] = other_cpu[i];
	LOCAL_APIC[0x300 / 4] = 0xc4500;                 /* to all others: init */
	LOCAL_APIC[0x300 / 4] = 0xc4600 | STARTUP >> 12; /* and start */
}

/* Each address to itself, beyond the 4 GiB that the monitor mapped. */
static void map_memory(void)
{
	volatile uint64_t *pointers = (volatile uint64_t *)0xa000;

	for (uint64_t gib = 4; gib < GIBS; gib++) {
		for (uint64_t i = 0; i < 512; i++)
			directory[gib][i] = gib << GIB_SHIFT | i << 21 | 0x83;
		pointers[gib] = (uint64_t)directory[gib] | 3;
	}
}

/* ---- the command line */

static const char *word(const char *name)
{
	for (const char *at = line; *at; at++) {
		uint64_t n = 0;

		while (name[n] && at[n] == name[n])
			n++;
		if (!name[n] && (at == line || at[-1] == ' '))
			return at + n;
	}
	return 0;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *at = word(name);
	uint64_t v = 0, base = 10;

	if (!at)
		return otherwise;
	if (at[0] == '0' && at[1] == 'x') {
		base = 16;
		at += 2;
	}
	for (;; at++) {
		if (*at >= '0' && *at <= '9')
			v = v * base + (uint64_t)(*at - '0');
		else if (base == 16 && *at >= 'a' && *at <= 'f')
			v = v * base + (uint64_t)(*at - 'a' + 10);
		else
			return *at == 'M' ? v << 20 : *at == 'G' ? v << GIB_SHIFT : v;
	}
}

/* ---- pages */

static uint64_t mix(uint64_t v)
{
	v ^= v >> 31;
	v *= 0x9e3779b97f4a7c15ull;
	return v ^ v >> 29;
}

/* The second word says which time it is; the others depend on all. */
static void stamp(struct page *p, uint64_t page, uint64_t round)
{
	p->word[0] = TAG;
	p->word[1] = round;
	for (uint64_t i = 2; i < WORDS; i++)
		p->word[i] = mix(page << 32 ^ round << 10 ^ i);
}

static uint64_t look(const struct page *p, uint64_t page, uint64_t round)
{
	uint64_t sum = 0;

	if (p->word[0] != TAG)
		fault("tag:", page, p->word[0], TAG);
	if (p->word[1] != round)
		fault("round:", page, p->word[1], round);
	for (uint64_t i = 2; i < WORDS; i++) {
		uint64_t wanted = mix(page << 32 ^ round << 10 ^ i), seen = p->word[i];

		if (seen != wanted)
			fault("content:", page, seen, wanted);
		sum = mix(sum ^ seen);
	}
	return sum;
}

static void done(uint64_t rounds, uint64_t sum)
{
	say("done ");
	say_hex(rounds);
	say(" ");
	say_hex(sum);
	say("\n");
}

static void write(void)
{
	uint64_t end = now_ns() + seconds * 1000000000u, round = 0, sum = 0;

	for (uint64_t i = 0; i < n_pages; i++)
		stamp(&pages[i], i, 0);
	start_others();
	say("stamped\n");
	do {
		for (uint64_t i = 0; i < n_pages; i++) {
			look(&pages[i], i, round);
			stamp(&pages[i], i, round + 1);
		}
		announced = ++round;
		say("round\n");
	} while (now_ns() < end);
	over = true;
	for (uint64_t i = 0; i < n_pages; i++)
		sum ^= look(&pages[i], i, round);
	done(round, sum);
}

/* Another CPU, while the first writes: no page goes back in time. */
static void watch(void)
{
	while (!over)
		for (uint64_t i = 0; i < n_pages && !over; i++) {
			uint64_t least = announced, seen = pages[i].word[1];

			if (seen < least)
				fault("old round:", i, seen, least);
		}
}

static void read(const struct boot_params *params)
{
	uint64_t *words = (uint64_t *)(uint64_t)params->hdr.ramdisk_image,
		 n = params->hdr.ramdisk_size / 8, first = 0;
	uint64_t end = now_ns() + seconds * 1000000000u, rounds = 0;

	do {
		uint64_t sum = 0;

		for (uint64_t i = 0; i < n; i++)
			sum = mix(sum ^ ((volatile uint64_t *)words)[i]);
		if (rounds && sum != first)
			fault("sum:", rounds, sum, first);
		first = sum;
		rounds++;
	} while (now_ns() < end);
	if (word("store")) {
		for (uint64_t i = 0; i < n; i += WORDS)
			((volatile uint64_t *)words)[i] = i;
		for (uint64_t i = 0; i < n; i += WORDS)
			if (((volatile uint64_t *)words)[i] != i)
				fault("store:", i / WORDS, words[i], i);
	}
	done(rounds, first);
}

static void hand(void)
{
	uint64_t wanted = number("cpus=", 2);

	start_others();
	for (uint64_t i = 0; i < n_pages; i++)
		stamp(&pages[i], i, 0);
	while (cpus < wanted)
		__asm__ volatile("pause");
	say("stamped\n");
	handed = (uint32_t)wanted;
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* A CPU's part of the pages, which no other CPU touches. */
static void stamp_part(uint32_t cpu, uint32_t n_cpus)
{
	uint64_t n = n_pages / n_cpus;

	for (uint64_t i = cpu * n; i < (cpu + 1) * n; i++)
		stamp(&pages[i], i, 0);
	__atomic_add_fetch(&parts, 1, __ATOMIC_SEQ_CST);
}

static void first(void)
{
	uint32_t wanted = (uint32_t)number("cpus=", 2);

	start_others();
	stamp_part(0, wanted);
	while (parts < wanted)
		__asm__ volatile("pause");
	say("stamped\n");
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The last CPU, when the pages are its own. */
static void use(uint32_t cpu)
{
	uint64_t end, round = 0;

	while (!handed)
		__asm__ volatile("pause");
	if (cpu + 1 != handed)
		return;
	__asm__ volatile("sti"); /* none come: this CPU's APIC is off */
	end = now_ns() + seconds * 1000000000u;
	do {
		for (uint64_t i = 0; i < n_pages; i++) {
			look(&pages[i], i, round);
			stamp(&pages[i], i, round + 1);
		}
		round++;
	} while (now_ns() < end);
	done(round, 0);
	power_off();
}

void guest_other(uint32_t cpu)
{
	(void)cpu; /* in order of coming up */
	if (word("hand")) {
		use(LOCAL_APIC[0x20 / 4] >> 24);
	} else if (word("first")) {
		__asm__ volatile("sti");
		stamp_part(LOCAL_APIC[0x20 / 4] >> 24, (uint32_t)number("cpus=", 2));
	} else {
		watch();
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}

void guest_main(struct boot_params *params)
{
	line = (const char *)(uint64_t)params->hdr.cmd_line_ptr;
	write_msr(0x4b564d01, (uint64_t)&clock | 1);
	map_memory();
	pages = (struct page *)number("at=", 16 << 20);
	n_pages = number("pages=", 1024);
	seconds = number("seconds=", 10);
	if (word("write"))
		write();
	else if (word("read"))
		read(params);
	else if (word("hand"))
		hand();
	else if (word("first"))
		first();
	else
		say("fault: no such word\n");
	power_off();
}
