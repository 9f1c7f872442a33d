// SPDX-License-Identifier: MIT
/*
 * The bus, guest memory, console streams, the board's plain devices and its device tree.
 */
#include <check.h>
#include <errno.h>
#include <libfdt.h>

#include "monitor/engine/sim/virt.h"
#include "tests/fake-vm.h"

static struct vm *vm;

static void setup_s(void)
{
	vm = fake_vm_create(false, 16 << 20);
}

static void setup_m(void)
{
	vm = fake_vm_create(true, 16 << 20);
}

static void teardown(void)
{
	fake_vm_destroy();
}

/* ---- bus and guest memory ---- */

START_TEST(bus_finds_whole_accesses_only)
{
	struct device *test = testdev_create(vm), *plic = plic_create(vm), *rtc = rtc_create(vm);

	ck_assert_ptr_eq(device_find(vm, BOARD_TEST, 4), test);
	ck_assert_ptr_eq(device_find(vm, BOARD_RTC, 4), rtc);
	ck_assert_ptr_eq(device_find(vm, BOARD_RTC + 0xfff, 1), rtc);
	ck_assert_ptr_eq(device_find(vm, BOARD_PLIC + 0x200004, 4), plic);
	ck_assert_ptr_null(device_find(vm, BOARD_RTC + 0x1000, 1));
	ck_assert_ptr_null(device_find(vm, BOARD_RTC + 0xffe, 4));
	ck_assert_ptr_null(device_find(vm, BOARD_TEST - 4, 4));
	ck_assert_ptr_null(device_find(vm, UINT64_MAX - 3, 4));
	ck_assert_ptr_null(device_find(vm, 0, 4));
}
END_TEST

START_TEST(guest_memory_is_bounded)
{
	uint8_t in[9000], out[9000];
	uint64_t top = VM_RAM_BASE + FAKE_RAM_BYTES;
	uint32_t word;

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(gm_write(vm, VM_RAM_BASE + 4000, in, sizeof(in)), 0);
	ck_assert_int_eq(gm_read(vm, VM_RAM_BASE + 4000, out, sizeof(out)), 0);
	ck_assert_mem_eq(in, out, sizeof(in));
	ck_assert_uint_eq(fake.pages_written, 4);
	ck_assert_int_eq(gm_zero(vm, VM_RAM_BASE + 4001, 4096), 0);
	ck_assert_int_eq(gm_read32(vm, VM_RAM_BASE + 8093, &word), 0);
	ck_assert_uint_eq(word & 0xffffff, 0);
	ck_assert_int_eq(gm_write64(vm, top - 8, 1), 0);
	ck_assert_int_eq(gm_write64(vm, top - 7, 1), -EFAULT);
	ck_assert_int_eq(gm_read32(vm, VM_RAM_BASE - 1, &word), -EFAULT);
	ck_assert(!gm_valid(vm, VM_RAM_BASE, UINT64_MAX));
	ck_assert(!gm_valid(vm, UINT64_MAX, 2));
	ck_assert(!gm_valid(vm, top + 1, 0));
	ck_assert(gm_valid(vm, VM_RAM_BASE, FAKE_RAM_BYTES));
}
END_TEST

START_TEST(guest_memory_waits_for_the_boundary)
{
	fake_run_phase();
	ck_assert_int_eq(gm_write32(vm, VM_RAM_BASE, 1), -EAGAIN);
	fake_boundary();
	ck_assert_int_eq(gm_write32(vm, VM_RAM_BASE, 1), 0);
	fake_run_phase();
	ck_assert_int_eq(gm_touch(vm, VM_RAM_BASE, 4096, true), 0);
	ck_assert_int_eq(gm_touch(vm, VM_RAM_BASE, 4097, true), -EAGAIN);
}
END_TEST

/* ---- streams ---- */

static unsigned wakes;

static void count_wake(void *arg)
{
	(void)arg;
	wakes++;
}

START_TEST(stream_keeps_order_and_limits)
{
	struct stream *s = stream_create(), *t = stream_create();
	uint8_t *big = xcalloc(3 << 20, 1), *got = xcalloc(3 << 20, 1);
	size_t n = 0, k;

	for (size_t i = 0; i < 3 << 20; i++)
		big[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
	/* Interleaved puts and gets, so that the ring wraps and grows in the middle. */
	for (size_t i = 0; i < 200000; i += k) {
		k = 1 + i % 977;
		stream_output(s, big + i, k);
		n += stream_drain(s, got + n, i % 491);
	}
	n += stream_drain(s, got + n, 3 << 20);
	ck_assert_uint_eq(n, stream_output_bytes(s));
	ck_assert_mem_eq(big, got, n);
	ck_assert_uint_eq(stream_drain(s, got, 1), 0);

	/* The digest depends on the bytes, not on how they were cut or drained. */
	stream_output(t, big, n);
	ck_assert_uint_eq(stream_digest(s), stream_digest(t));
	stream_output(t, "x", 1);
	ck_assert_uint_ne(stream_digest(s), stream_digest(t));

	/* No reader: the last bytes are kept. */
	stream_output(s, big, 3 << 20);
	stream_output(s, "end", 3);
	n = stream_drain(s, got, 3 << 20);
	ck_assert_uint_eq(n, 1 << 20);
	ck_assert_mem_eq(got + n - 3, "end", 3);
	ck_assert_mem_eq(got, big + (3 << 20) - (1 << 20) + 3, n - 3);

	stream_on_input(s, count_wake, NULL);
	wakes = 0;
	ck_assert_uint_eq(stream_input(s, big, 3 << 20), 64 << 10);
	ck_assert_uint_eq(stream_input(s, big, 1), 0);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_uint_eq(stream_input_pending(s), 64 << 10);
	ck_assert_uint_eq(stream_take_input(s, got, 3 << 20), 64 << 10);
	ck_assert_mem_eq(got, big, 64 << 10);
	free(big);
	free(got);
	stream_destroy(s);
	stream_destroy(t);
}
END_TEST

/* ---- PLIC ---- */

static void irq_source(unsigned irq, bool level)
{
	vm->irq_line(vm->irq_chip, irq, level);
}

static void plic_priority(unsigned irq, uint32_t priority)
{
	mmio_write(BOARD_PLIC + 4 * irq, 4, priority);
}

static void plic_enable(unsigned context, unsigned irq)
{
	uint64_t pa = BOARD_PLIC + 0x2000 + 0x80 * context + irq / 32 * 4;

	mmio_write(pa, 4, mmio_read(pa, 4) | 1u << (irq % 32));
}

static uint64_t plic_claim_pa(unsigned context)
{
	return BOARD_PLIC + 0x200004 + 0x1000 * context;
}

START_TEST(plic_claims_by_priority_and_gates)
{
	uint64_t claim = plic_claim_pa(1);

	plic_create(vm);
	plic_priority(3, 1);
	plic_priority(40, 7);
	plic_enable(1, 3);
	plic_enable(1, 40);
	irq_source(3, true);
	ck_assert(fake.irq[1][IRQ_S_EXT]);
	ck_assert(!fake.irq[0][IRQ_S_EXT]);
	irq_source(40, true);
	ck_assert_uint_eq(mmio_read(BOARD_PLIC + 0x1000, 4), 1 << 3);
	ck_assert_uint_eq(mmio_read(BOARD_PLIC + 0x1004, 4), 1 << 8);
	ck_assert_uint_eq(mmio_read(claim, 4), 40);
	ck_assert_uint_eq(mmio_read(claim, 4), 3);
	ck_assert_uint_eq(mmio_read(claim, 4), 0);
	ck_assert(!fake.irq[1][IRQ_S_EXT]);
	/* Still high: nothing until completed, then at once. */
	irq_source(3, true);
	ck_assert(!fake.irq[1][IRQ_S_EXT]);
	mmio_write(claim, 4, 3);
	ck_assert(fake.irq[1][IRQ_S_EXT]);
	ck_assert_uint_eq(mmio_read(claim, 4), 3);
	irq_source(3, false);
	mmio_write(claim, 4, 3);
	ck_assert(!fake.irq[1][IRQ_S_EXT]);
}
END_TEST

START_TEST(plic_threshold_masks_but_claim_sees)
{
	plic_create(vm);
	plic_priority(5, 2);
	plic_enable(0, 5);
	mmio_write(BOARD_PLIC + 0x200000, 4, 2);
	irq_source(5, true);
	ck_assert(!fake.irq[0][IRQ_S_EXT]);
	mmio_write(BOARD_PLIC + 0x200000, 4, 1);
	ck_assert(fake.irq[0][IRQ_S_EXT]);
	mmio_write(BOARD_PLIC + 0x200000, 4, 7);
	ck_assert(!fake.irq[0][IRQ_S_EXT]);
	ck_assert_uint_eq(mmio_read(plic_claim_pa(0), 4), 5);
}
END_TEST

START_TEST(plic_completion_needs_enable)
{
	plic_create(vm);
	plic_priority(5, 1);
	plic_enable(0, 5);
	irq_source(5, true);
	ck_assert_uint_eq(mmio_read(plic_claim_pa(0), 4), 5);
	mmio_write(plic_claim_pa(1), 4, 5); /* not enabled there */
	ck_assert_uint_eq(mmio_read(plic_claim_pa(0), 4), 0);
	mmio_write(plic_claim_pa(0), 4, 5);
	ck_assert_uint_eq(mmio_read(plic_claim_pa(0), 4), 5);
}
END_TEST

START_TEST(plic_ignores_what_is_not_there)
{
	plic_create(vm);
	plic_priority(0, 7);
	ck_assert_uint_eq(mmio_read(BOARD_PLIC, 4), 0);
	plic_priority(1, 0xff);
	ck_assert_uint_eq(mmio_read(BOARD_PLIC + 4, 4), 7);
	for (uint64_t at = 0; at < 0x600000; at += 0x7c) {
		mmio_write(BOARD_PLIC + at, 4, UINT32_MAX);
		mmio_read(BOARD_PLIC + at, 4);
		mmio_read(BOARD_PLIC + (at & ~7ull), 8);
	}
	mmio_write(plic_claim_pa(0), 4, 96);
	mmio_write(plic_claim_pa(0), 4, UINT32_MAX);
}
END_TEST

START_TEST(plic_has_m_and_s_contexts_with_firmware)
{
	plic_create(vm);
	plic_priority(5, 1);
	irq_source(5, true);
	plic_enable(2, 5);
	ck_assert(fake.irq[1][IRQ_M_EXT] && !fake.irq[1][IRQ_S_EXT]);
	plic_enable(3, 5);
	ck_assert(fake.irq[1][IRQ_S_EXT] && !fake.irq[0][IRQ_M_EXT]);
	ck_assert_uint_eq(mmio_read(plic_claim_pa(3), 4), 5);
	ck_assert(!fake.irq[1][IRQ_M_EXT] && !fake.irq[1][IRQ_S_EXT]);
}
END_TEST

/* ---- ACLINT ---- */

START_TEST(aclint_translates)
{
	aclint_create(vm);
	ck_assert_uint_eq(fake.mtimecmp[1], UINT64_MAX);
	mmio_write(BOARD_ACLINT + 4, 4, 1);
	ck_assert(fake.irq[1][IRQ_M_SOFT] && !fake.irq[0][IRQ_M_SOFT]);
	ck_assert_uint_eq(mmio_read(BOARD_ACLINT + 4, 4), 1);
	mmio_write(BOARD_ACLINT + 4, 4, 0xfffffffe);
	ck_assert(!fake.irq[1][IRQ_M_SOFT]);
	mmio_write(BOARD_ACLINT + 0x4008, 8, 0x123456789abc);
	ck_assert_uint_eq(fake.mtimecmp[1], 0x123456789abc);
	mmio_write(BOARD_ACLINT + 0x400c, 4, 7);
	mmio_write(BOARD_ACLINT + 0x4008, 4, 9);
	ck_assert_uint_eq(fake.mtimecmp[1], 0x700000009);
	ck_assert_uint_eq(mmio_read(BOARD_ACLINT + 0x400c, 4), 7);
	fake.now =
		UINT64_MAX - 5; /* ticks are cycles / 100 here; the product does not fit 64 bits */
	ck_assert_uint_eq(mmio_read(BOARD_ACLINT + 0xbff8, 8), (UINT64_MAX - 5) / 100);
	ck_assert_uint_eq(
		mmio_read(BOARD_ACLINT + 0xbffc, 4), (uint64_t)(UINT64_MAX - 5) / 100 >> 32);
	mmio_write(BOARD_ACLINT + 8, 4, 1); /* no third hart */
	mmio_write(BOARD_ACLINT + 0x4010, 8, 1);
	ck_assert_uint_eq(mmio_read(BOARD_ACLINT + 8, 4), 0);
	ck_assert_uint_eq(mmio_read(BOARD_ACLINT + 0x4010, 8), 0);
}
END_TEST

/* ---- test device and clock ---- */

START_TEST(testdev_ends_the_vm)
{
	testdev_create(vm);
	mmio_write(BOARD_TEST, 4, 0x1234);
	ck_assert_int_eq(vm->state, VM_RUNNING);
	mmio_write(BOARD_TEST, 4, 42 << 16 | 0x3333);
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(vm->exit_code, 42);
	mmio_write(BOARD_TEST, 4, 0x5555);
	ck_assert_int_eq(vm->exit_code, 0);
	ck_assert(!vm->reset_wanted);
	mmio_write(BOARD_TEST, 4, 0x7777);
	ck_assert(vm->reset_wanted);
}
END_TEST

static uint64_t rtc_now(void)
{
	uint64_t low = mmio_read(BOARD_RTC, 4);

	return mmio_read(BOARD_RTC + 4, 4) << 32 | low;
}

START_TEST(rtc_follows_machine_time)
{
	uint64_t start;

	plic_create(vm);
	rtc_create(vm);
	plic_priority(BOARD_IRQ_RTC, 1);
	plic_enable(0, BOARD_IRQ_RTC);
	start = rtc_now();
	ck_assert_uint_eq(start / 1000000000, 1893456000);
	fake.now = fake.cluster.now = 5000000000; /* at 1 GHz: 5 s */
	ck_assert_uint_eq(rtc_now() - start, 5000000000);

	mmio_write(BOARD_RTC + 0x10, 4, 1);
	mmio_write(BOARD_RTC + 0xc, 4, (start + 6000000000) >> 32);
	mmio_write(BOARD_RTC + 0x8, 4, (uint32_t)(start + 6000000000));
	ck_assert_uint_eq(mmio_read(BOARD_RTC + 0x18, 4), 1);
	fake_boundary();
	ck_assert(!fake.irq[0][IRQ_S_EXT]);
	fake.now = fake.cluster.now = 6000000000;
	fake_boundary();
	ck_assert(fake.irq[0][IRQ_S_EXT]);
	ck_assert_uint_eq(mmio_read(BOARD_RTC + 0x18, 4), 0);
	mmio_write(BOARD_RTC + 0x1c, 4, 1);
	ck_assert(!fake.irq[0][IRQ_S_EXT]);

	mmio_write(BOARD_RTC + 4, 4, 1);
	mmio_write(BOARD_RTC, 4, 2);
	ck_assert_uint_eq(rtc_now(), 0x100000002);
}
END_TEST

/* ---- UART ---- */

static struct stream *uart_stream;

static void setup_uart(void)
{
	setup_s();
	uart_stream = stream_create();
	plic_create(vm);
	plic_priority(BOARD_IRQ_UART, 1);
	plic_enable(0, BOARD_IRQ_UART);
	uart_create(vm, uart_stream);
}

static void teardown_uart(void)
{
	teardown();
	stream_destroy(uart_stream);
}

static uint8_t uart_get(unsigned reg)
{
	return (uint8_t)mmio_read(BOARD_UART + reg, 1);
}

static void uart_put(unsigned reg, uint8_t value)
{
	mmio_write(BOARD_UART + reg, 1, value);
}

static bool uart_irq(void)
{
	return fake.irq[0][IRQ_S_EXT];
}

START_TEST(uart_outputs_at_once)
{
	char got[4] = {0};

	ck_assert_uint_eq(uart_get(5), 0x60);
	uart_put(0, 'h');
	uart_put(0, 'i');
	ck_assert_uint_eq(stream_drain(uart_stream, got, 4), 2);
	ck_assert_str_eq(got, "hi");
	uart_put(3, 0x83); /* divisor, not data */
	uart_put(0, 2);
	uart_put(1, 1);
	ck_assert_uint_eq(uart_get(0), 2);
	ck_assert_uint_eq(uart_get(1), 1);
	uart_put(3, 3);
	ck_assert_uint_eq(stream_drain(uart_stream, got, 4), 0);
	ck_assert_uint_eq(uart_get(1), 0);
}
END_TEST

/* The probes Linux's 8250 driver makes (autoconfig() and the THRE test of startup()). */
START_TEST(uart_is_recognised_as_16550a)
{
	uart_put(1, 0x0f);
	ck_assert_uint_eq(uart_get(1), 0x0f);
	uart_put(1, 0);
	ck_assert_uint_eq(uart_get(1), 0);
	uart_put(4, 0x1a);
	ck_assert_uint_eq(uart_get(6) & 0xf0, 0x90);
	uart_put(4, 0);
	ck_assert_uint_eq(uart_get(6) & 0xf0, 0xb0);
	uart_put(2, 1);
	ck_assert_uint_eq(uart_get(2) >> 6, 3);
	uart_put(2, 0);
	ck_assert_uint_eq(uart_get(2) >> 6, 0);
	uart_put(7, 0xa5);
	ck_assert_uint_eq(uart_get(7), 0xa5);
	uart_get(6);

	uart_put(1, 2);
	ck_assert(uart_irq());
	ck_assert_uint_eq(uart_get(2) & 0xf, 2);
	ck_assert(!uart_irq());
	ck_assert_uint_eq(uart_get(2) & 0xf, 1);
	uart_put(1, 0);
	uart_put(1, 2);
	ck_assert_uint_eq(uart_get(2) & 0xf, 2);
	uart_put(0, 'x');
	ck_assert(uart_irq());
}
END_TEST

START_TEST(uart_receives_with_fifo)
{
	char text[40], got[40];

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	uart_put(2, 0x81); /* FIFO on, trigger at 8 */
	uart_put(1, 1);
	stream_input(uart_stream, text, 3);
	ck_assert(uart_irq());
	ck_assert_uint_eq(uart_get(2) & 0xf, 0xc);
	ck_assert_uint_eq(uart_get(5), 0x61);
	stream_input(uart_stream, text + 3, sizeof(text) - 3);
	ck_assert_uint_eq(uart_get(2) & 0xf, 4);
	ck_assert_uint_eq(stream_input_pending(uart_stream), sizeof(text) - 16);
	for (unsigned i = 0; i < sizeof(got); i++) {
		ck_assert(uart_get(5) & 1);
		ck_assert(uart_irq());
		got[i] = (char)uart_get(0);
	}
	ck_assert_mem_eq(got, text, sizeof(text));
	ck_assert_uint_eq(uart_get(5), 0x60);
	ck_assert(!uart_irq());
}
END_TEST

START_TEST(uart_loops_back)
{
	uart_put(2, 1);
	uart_put(4, 0x10);
	stream_input(uart_stream, "no", 2);
	for (unsigned i = 0; i < 17; i++)
		uart_put(0, (uint8_t)i);
	ck_assert_uint_eq(uart_get(5), 0x63); /* the 17th was an overrun */
	ck_assert_uint_eq(uart_get(5), 0x61);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_eq(uart_get(0), i);
	ck_assert_uint_eq(stream_output_bytes(uart_stream), 0);
	uart_put(4, 0);
	ck_assert_uint_eq(uart_get(0), 'n');
}
END_TEST

/* ---- device tree ---- */

static const void *prop(const void *fdt, const char *path, const char *name, int *bytes)
{
	int node = fdt_path_offset(fdt, path);

	ck_assert_msg(node >= 0, "no node %s", path);
	return fdt_getprop(fdt, node, name, bytes);
}

/* The ISA string "rv64imac_zicsr..." and the list "i", "m", ... "zicsr" ... name the same extensions. */
static void isa_agrees(const char *isa, const char *list, int list_bytes)
{
	const char *end = list + list_bytes;

	ck_assert_msg(!strncmp(isa, "rv64imafdc_zicntr_zicsr_zifencei", 32), "%s", isa);
	for (isa += strlen("rv64"); *isa; list += strlen(list) + 1) {
		size_t n = *isa == '_' ? strcspn(++isa, "_") : 1;

		ck_assert(list < end);
		ck_assert_uint_eq(strlen(list), n);
		ck_assert_mem_eq(list, isa, n);
		isa += n;
	}
	ck_assert_ptr_eq(list, end);
}

START_TEST(tree_describes_the_board)
{
	static uint8_t buf[64 << 10];
	struct stream *s = stream_create();
	const fdt32_t *cell;
	const char *list;
	int n, list_bytes = 0;

	plic_create(vm);
	aclint_create(vm);
	testdev_create(vm);
	rtc_create(vm);
	uart_create(vm, s);
	virtio_rng_create(vm, 3);
	ck_assert_int_eq(virt_fdt(vm, "quiet", 0x84000000, 4096, buf, 256), -ENOSPC);
	ck_assert_int_eq(virt_fdt(vm, "quiet", 0x84000000, 4096, buf, sizeof(buf)), 0);
	ck_assert_int_eq(fdt_check_full(buf, sizeof(buf)), 0);
	ck_assert_str_eq(prop(buf, "/chosen", "bootargs", &n), "quiet");
	ck_assert_str_eq(prop(buf, "/chosen", "stdout-path", &n), "/soc/serial@10000000");
	ck_assert_ptr_nonnull(prop(buf, "/soc/serial@10000000", "clock-frequency", &n));
	cell = prop(buf, "/chosen", "linux,initrd-end", &n);
	ck_assert_uint_eq(fdt32_to_cpu(cell[1]), 0x84001000);
	prop(buf, "/chosen", "rng-seed", &n);
	ck_assert_int_eq(n, 32);
	cell = prop(buf, "/memory@80000000", "reg", &n);
	ck_assert_uint_eq(fdt32_to_cpu(cell[3]), FAKE_RAM_BYTES);
	list = prop(buf, "/cpus/cpu@1", "riscv,isa-extensions", &list_bytes);
	isa_agrees(prop(buf, "/cpus/cpu@1", "riscv,isa", &n), list, list_bytes);
	prop(buf, "/soc/plic@c000000", "interrupts-extended", &n);
	ck_assert_int_eq(n, 2 * FAKE_VCPUS * 8); /* M and S */
	cell = prop(buf, "/soc/virtio_mmio@10004000", "interrupts", &n);
	ck_assert_uint_eq(fdt32_to_cpu(*cell), 4);
	ck_assert_int_lt(fdt_path_offset(buf, "/soc/virtio_mmio@10001000"), 0);
	cell = prop(buf, "/poweroff", "regmap", &n);
	ck_assert_int_eq(fdt_node_offset_by_phandle(buf, fdt32_to_cpu(*cell)),
		fdt_path_offset(buf, "/soc/test@100000"));
	stream_destroy(s);
}
END_TEST

static TCase *group(Suite *s, const char *name, void (*up)(void), void (*down)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, up, down);
	suite_add_tcase(s, t);
	return t;
}

int main(void)
{
	Suite *s = suite_create("devices");
	TCase *s_mode = group(s, "supervisor", setup_s, teardown);
	TCase *m_mode = group(s, "firmware", setup_m, teardown);
	TCase *uart = group(s, "uart", setup_uart, teardown_uart);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(s_mode, bus_finds_whole_accesses_only);
	tcase_add_test(s_mode, guest_memory_is_bounded);
	tcase_add_test(s_mode, guest_memory_waits_for_the_boundary);
	tcase_add_test(s_mode, stream_keeps_order_and_limits);
	tcase_add_test(s_mode, plic_claims_by_priority_and_gates);
	tcase_add_test(s_mode, plic_threshold_masks_but_claim_sees);
	tcase_add_test(s_mode, plic_completion_needs_enable);
	tcase_add_test(s_mode, plic_ignores_what_is_not_there);
	tcase_add_test(m_mode, plic_has_m_and_s_contexts_with_firmware);
	tcase_add_test(m_mode, aclint_translates);
	tcase_add_test(s_mode, testdev_ends_the_vm);
	tcase_add_test(s_mode, rtc_follows_machine_time);
	tcase_add_test(uart, uart_outputs_at_once);
	tcase_add_test(uart, uart_is_recognised_as_16550a);
	tcase_add_test(uart, uart_receives_with_fifo);
	tcase_add_test(uart, uart_loops_back);
	tcase_add_test(m_mode, tree_describes_the_board);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
