// SPDX-License-Identifier: MIT
/*
 * The subnet's gateway, with frames made by hand and servers on this computer's loopback: who is
 * reached and who is not, what VMs cannot send out, and how many sockets they can open.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sharing/gateway.h"
#include "tests/small-machine.h"

enum { ME = 0x0a000002, OTHER = 0x0a000003, LOOPBACK = 0x7f000001, CLOCK_HZ = 1000000 };
enum { ICMP = 1, UDP = 17, TCP = 6, SYN = 2, RST = 4, ACK = 16, IP = 14, L4 = 34 };
enum { WAIT_MS = 20000, PORT = 4000 };

static struct memory *mem;
static struct subnet *net;
static struct gateway *gateway;
static struct subnet_port *port, *other;
static uint64_t now;
static const uint8_t mac[2][6] = {{0x52, 0x54, 0, 0, 0, 0}, {0x52, 0x54, 0, 0, 0, 1}};
static const uint8_t gateway_mac[6] = {0x52, 0x55, 10, 0, 0, 1};
static uint16_t mtu;
static uint8_t got[PACKET_MAX]; /* the last frame that was for us, and no question of ARP */
static uint32_t n_got;
static uint8_t data[65536];       /* what the fragments of an answer had, ... */
static uint32_t n_data, data_end; /* ... how many bytes, and how many there are; 0: not known */
static unsigned others;           /* frames that the other VM got and that were for it alone */

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8u | at[1];
}

static uint32_t sum(const uint8_t *at, uint32_t bytes)
{
	uint32_t s = 0;

	for (uint32_t i = 0; i < bytes; i++)
		s += i & 1 ? at[i] : at[i] << 8u;
	return s;
}

static unsigned fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

static void queue_frame(const uint8_t *frame, uint32_t bytes)
{
	const struct packet_span span = {.mpn = MPN_NONE, .data = frame, .bytes = bytes};

	subnet_send(port, &span, 1, NULL, 0);
}

static void send_frame(const uint8_t *frame, uint32_t bytes)
{
	queue_frame(frame, bytes);
	subnet_run(net, now);
}

static void arp(unsigned op, const uint8_t *to, uint32_t target)
{
	uint8_t f[42] = {0};

	memcpy(f, to, 6);
	memcpy(f + 6, mac[0], 6);
	put16(f + 12, 0x0806);
	memcpy(f + 14, (uint8_t[]){0, 1, 8, 0, 6, 4, 0}, 7);
	f[21] = (uint8_t)op;
	memcpy(f + 22, mac[0], 6);
	put32(f + 28, ME);
	put32(f + 38, target);
	queue_frame(f, sizeof(f));
}

/* Behind the IP header, of a whole packet or a fragment. */
static void collect(const uint8_t *ip)
{
	uint32_t bytes = get16(ip + 2) - 20, at = (get16(ip + 6) & 0x1fff) * 8;

	ck_assert_uint_le(at + bytes, sizeof(data));
	memcpy(data + at, ip + 20, bytes);
	n_data += bytes;
	if (!(get16(ip + 6) & 0x2000))
		data_end = at + bytes;
}

static int deliver(void *arg, const struct packet *k)
{
	static uint8_t f[sizeof(got)];
	uint32_t bytes = k->bytes;

	ck_assert_uint_le(bytes, ETHER_HEADER + (uint32_t)mtu);
	packet_copy(subnet_packets(net), k, 0, f, bytes);
	if (arg) {
		others += !(f[0] & 1);
		return 0;
	}
	if (get16(f + 12) == 0x0806 && f[21] == 1) {
		arp(2, gateway_mac, GATEWAY_ADDRESS); /* the gateway asks where we are */
		return 0;
	}
	memcpy(got, f, bytes);
	n_got = bytes;
	if (get16(f + 12) == 0x0800)
		collect(f + IP);
	return 0;
}

static unsigned takes(void *arg)
{
	(void)arg;
	return TAKES_CHECKSUM;
}

static const struct subnet_port_ops ops = {.deliver = deliver, .takes = takes};

static void setup_mtu(bool loopback, uint16_t bytes)
{
	const struct subnet_link link = {.clock_hz = CLOCK_HZ, .mtu = bytes};
	const struct gateway_options options = {CLOCK_HZ, 24, loopback};

	mem = SMALL_MEMORY(64);
	mem->boundary = true;
	net = subnet_create(mem, &link);
	gateway = gateway_create(net, &options);
	ck_assert_ptr_nonnull(gateway);
	port = subnet_attach(net, mac[0], &ops, NULL);
	other = subnet_attach(net, mac[1], &ops, (void *)1);
	now = 1;
	mtu = bytes;
	n_got = others = 0;
}

static void setup_outside(void)
{
	setup_mtu(false, SUBNET_MTU);
}

static void setup_host(void)
{
	setup_mtu(true, SUBNET_MTU);
}

static void teardown(void)
{
	gateway_destroy(gateway);
	subnet_destroy(net);
	memory_check(mem);
	memory_destroy(mem);
}

/* What Linux marks: the packets that need no fragments must not be made into some. */
static bool dont_fragment;
static unsigned identification;
static bool backwards; /* fragments are sent last to first */

/* The frame whose IP packet has `bytes` bytes, in fragments if that is more than the MTU. */
static void send_pieces(uint8_t *f, uint32_t bytes)
{
	uint32_t most = (mtu - 20u) & ~7u, n = (bytes - 20 + most - 1) / most;
	uint8_t *piece;

	if (bytes <= mtu) {
		put16(f + IP + 6, dont_fragment ? 0x4000 : 0);
		put16(f + IP + 10, 0);
		put16(f + IP + 10, fold(sum(f + IP, 20)));
		send_frame(f, ETHER_HEADER + bytes);
		return;
	}
	piece = xcalloc(1, ETHER_HEADER + mtu);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (backwards ? n - 1 - i : i) * most, here = MIN(most, bytes - 20 - at);

		memcpy(piece, f, L4);
		memcpy(piece + L4, f + L4 + at, here);
		put16(piece + IP + 2, 20 + here);
		put16(piece + IP + 6, at / 8 | (at + here < bytes - 20 ? 0x2000 : 0));
		put16(piece + IP + 10, 0);
		put16(piece + IP + 10, fold(sum(piece + IP, 20)));
		send_frame(piece, L4 + here);
	}
	free(piece);
}

/* An IPv4 packet with `bytes` bytes behind its header, of which the first `n` are `l4`. */
static void send_ip(unsigned protocol, uint32_t to, const uint8_t *l4, uint32_t n, uint32_t bytes)
{
	uint8_t *f = xcalloc(1, L4 + bytes);
	uint32_t pseudo =
		(ME >> 16) + (ME & 0xffff) + (to >> 16) + (to & 0xffff) + protocol + bytes;
	unsigned at = protocol == TCP ? 16 : protocol == UDP ? 6 : 2;

	memcpy(f, gateway_mac, 6);
	memcpy(f + 6, mac[0], 6);
	put16(f + 12, 0x0800);
	f[IP] = 0x45;
	put16(f + IP + 2, 20 + bytes);
	put16(f + IP + 4, ++identification);
	f[IP + 8] = 64;
	f[IP + 9] = (uint8_t)protocol;
	put32(f + IP + 12, ME);
	put32(f + IP + 16, to);
	memcpy(f + L4, l4, n);
	put16(f + L4 + at, fold(sum(f + L4, bytes) + (protocol == ICMP ? 0 : pseudo)));
	send_pieces(f, 20 + bytes);
	free(f);
}

static void send_syn(uint32_t to, unsigned from_port, unsigned to_port)
{
	uint8_t tcp[20] = {0};

	put16(tcp, from_port);
	put16(tcp + 2, to_port);
	put32(tcp + 4, 1000);
	tcp[12] = 5 << 4;
	tcp[13] = SYN;
	put16(tcp + 14, 8192);
	send_ip(TCP, to, tcp, sizeof(tcp), sizeof(tcp));
}

static void send_udp(uint32_t to, unsigned from_port, unsigned to_port, uint32_t bytes)
{
	uint8_t udp[12] = {0};

	put16(udp, from_port);
	put16(udp + 2, to_port);
	put16(udp + 4, 8 + bytes);
	memcpy(udp + 8, "ping", 4);
	send_ip(UDP, to, udp, sizeof(udp), 8 + bytes);
}

/* Machine time passes, and a moment of the host's, for its sockets to do what they do. */
static void pass_ms(unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		now += CLOCK_HZ / 1000;
		subnet_run(net, now);
		poll(NULL, 0, 1);
	}
}

/* Until a frame has come; whether it has. */
static bool answered(void)
{
	for (unsigned i = 0; i < WAIT_MS && !n_got; i++)
		pass_ms(1);
	return n_got;
}

/* A socket of this computer's loopback, and its port. */
static int server(int type, unsigned *at)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(LOOPBACK)};
	socklen_t bytes = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert(!bind(fd, (struct sockaddr *)&a, sizeof(a)));
	ck_assert(type == SOCK_DGRAM || !listen(fd, 5));
	ck_assert(!getsockname(fd, (struct sockaddr *)&a, &bytes));
	*at = ntohs(a.sin_port);
	return fd;
}

/* ---- who is there -------------------------------------------------------------------------- */

START_TEST(gateway_and_server_of_names_say_where_they_are)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	ck_assert_uint_eq(gateway_nameserver(24), 0x0a0000fe);
	ck_assert_uint_eq(gateway_nameserver(16), 0x0a00fffe);
	arp(1, all, GATEWAY_ADDRESS);
	ck_assert(answered());
	ck_assert_uint_eq(get16(got + 12), 0x0806);
	ck_assert_mem_eq(got + 22, gateway_mac, 6);
	n_got = 0;
	arp(1, all, gateway_nameserver(24));
	ck_assert(answered());
	ck_assert_mem_eq(got + 22, ((uint8_t[]){0x52, 0x55, 10, 0, 0, 254}), 6);
	/* For a VM only that VM answers. */
	n_got = 0;
	arp(1, all, OTHER);
	pass_ms(20);
	ck_assert_uint_eq(n_got, 0);
	ck_assert(!gateway_busy(gateway));
}
END_TEST

/* ---- this computer's loopback -------------------------------------------------------------- */

START_TEST(a_server_on_loopback_is_reached_if_asked_for)
{
	unsigned at;
	int fd = server(SOCK_STREAM, &at), accepted = -1;

	send_syn(GATEWAY_ADDRESS, PORT, at);
	ck_assert(gateway_busy(gateway));
	ck_assert_uint_le(subnet_next(net), now + CLOCK_HZ / 1000);
	ck_assert(answered());
	ck_assert_uint_eq(got[IP + 9], TCP);
	ck_assert_uint_eq(got[L4 + 13] & (SYN | ACK | RST), SYN | ACK);
	ck_assert_uint_eq(get16(got + L4), at);
	for (unsigned i = 0; i < WAIT_MS && accepted < 0; i++, pass_ms(1))
		accepted = accept(fd, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	ck_assert_uint_eq(others, 0);
	ck_assert_uint_eq(gateway_stats(gateway).sockets, 1);
	close(accepted);
	close(fd);
}
END_TEST

START_TEST(datagrams_go_there_and_back)
{
	struct sockaddr_in from;
	socklen_t n_from = sizeof(from);
	char text[8000];
	ssize_t n = -1;
	unsigned at;
	int fd = server(SOCK_DGRAM, &at);

	/* Larger than what the gateway's own packets are. */
	send_udp(GATEWAY_ADDRESS, PORT, at, 6000);
	for (unsigned i = 0; i < WAIT_MS && n < 0; i++, pass_ms(1))
		n = recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &n_from);
	ck_assert_int_eq(n, 6000);
	ck_assert_mem_eq(text, "ping", 4);
	ck_assert_int_eq(sendto(fd, "pong", 4, 0, (struct sockaddr *)&from, n_from), 4);
	ck_assert(answered());
	ck_assert_uint_eq(got[IP + 9], UDP);
	ck_assert_uint_eq(get16(got + L4 + 2), PORT);
	ck_assert_mem_eq(got + L4 + 8, "pong", 4);
	ck_assert_uint_gt(gateway_stats(gateway).bytes_out, 6000);
	ck_assert_uint_gt(gateway_stats(gateway).bytes_in, 4);
	close(fd);
}
END_TEST

/* ---- sizes ----------------------------------------------------------------------------------- */

static const uint16_t mtus[] = {SUBNET_MTU_MIN, 1500, SUBNET_MTU, SUBNET_MTU_MAX};
/* Of IP packets: around libslirp's MTU and all of ours, and the largest there is. */
static const uint32_t sizes[] = {100, SUBNET_MTU_MIN, SUBNET_MTU_MIN + 1, 1500, 1501, 1528, 3000,
	4001, 32768, SUBNET_MTU, SUBNET_MTU + 1, 65520, 65521, 65522, 65534, 65535};

static void fill(uint8_t *l4, uint32_t from, uint32_t bytes)
{
	for (uint32_t i = from; i < bytes; i++)
		l4[i] = (uint8_t)(i * 7 + i / 250);
}

static bool whole_answer(void)
{
	for (unsigned i = 0; i < WAIT_MS && (!data_end || n_data < data_end); i++)
		pass_ms(1);
	return data_end && n_data == data_end;
}

static void each_size(void (*one)(uint32_t bytes), unsigned which)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	setup_mtu(true, mtus[which / 2]);
	dont_fragment = true;
	backwards = which % 2;
	arp(1, all, GATEWAY_ADDRESS);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		n_data = data_end = 0;
		one(sizes[i] - 20);
	}
	ck_assert_uint_eq(gateway_stats(gateway).refused, 0);
	teardown();
}

static void ping(uint32_t bytes)
{
	uint8_t *l4 = xcalloc(1, bytes);

	fill(l4, 8, bytes);
	l4[0] = 8;
	send_ip(ICMP, GATEWAY_ADDRESS, l4, bytes, bytes);
	ck_assert_msg(whole_answer(), "MTU %u: %u of %u bytes come back", mtu, n_data, bytes);
	ck_assert_uint_eq(data_end, bytes);
	ck_assert_uint_eq(data[0], 0);
	ck_assert_mem_eq(data + 4, l4 + 4, bytes - 4);
	free(l4);
}

START_TEST(pings_of_all_sizes_are_answered)
{
	each_size(ping, (unsigned)_i);
}
END_TEST

static void exchange(uint32_t bytes)
{
	uint8_t *l4 = xcalloc(1, bytes), *there = xcalloc(1, bytes);
	struct sockaddr_in from;
	socklen_t n_from = sizeof(from);
	ssize_t n = -1;
	unsigned at;
	int fd = server(SOCK_DGRAM, &at);

	fill(l4, 8, bytes);
	put16(l4, PORT);
	put16(l4 + 2, at);
	put16(l4 + 4, bytes);
	send_ip(UDP, GATEWAY_ADDRESS, l4, bytes, bytes);
	for (unsigned i = 0; i < WAIT_MS && n < 0; i++, pass_ms(1))
		n = recvfrom(fd, there, bytes, 0, (struct sockaddr *)&from, &n_from);
	ck_assert_msg(n == bytes - 8, "MTU %u: %d of %u bytes arrive", mtu, (int)n, bytes - 8);
	ck_assert_mem_eq(there, l4 + 8, bytes - 8);
	ck_assert_int_eq(sendto(fd, there, bytes - 8, 0, (struct sockaddr *)&from, n_from), n);
	ck_assert_msg(whole_answer(), "MTU %u: %u of %u bytes come back", mtu, n_data, bytes);
	ck_assert_uint_eq(data_end, bytes);
	ck_assert_mem_eq(data + 8, l4 + 8, bytes - 8);
	close(fd);
	free(l4);
	free(there);
}

START_TEST(datagrams_of_all_sizes_go_there_and_back)
{
	each_size(exchange, (unsigned)_i);
}
END_TEST

/* Neither by the gateway's address nor by its own, nor by what the kernel takes for it. */
START_TEST(loopback_is_out_of_reach_otherwise)
{
	const uint32_t way[] = {GATEWAY_ADDRESS, LOOPBACK, 0x7f010101, 0};
	unsigned at, at_udp;
	int fd = server(SOCK_STREAM, &at), udp = server(SOCK_DGRAM, &at_udp);
	char c;

	for (unsigned i = 0; i < ARRAY_SIZE(way); i++) {
		send_syn(way[i], PORT + i, at);
		send_udp(way[i], PORT + i, at_udp, 4);
		pass_ms(50);
		ck_assert_int_lt(accept(fd, NULL, NULL), 0);
		ck_assert_int_lt(recv(udp, &c, 1, 0), 0);
	}
	ck_assert_uint_eq(gateway_stats(gateway).refused, 2 * 3);
	close(fd);
	close(udp);
}
END_TEST

/* ---- what cannot be sent ------------------------------------------------------------------- */

START_TEST(malformed_and_foreign_frames_are_refused)
{
	static uint8_t f[PACKET_MAX];
	const unsigned type[] = {0x86dd, 0x88f8, 0x8100, 0x0000, 0xffff};
	uint64_t refused = 0;

	memcpy(f, gateway_mac, 6);
	memcpy(f + 6, mac[0], 6);
	for (unsigned i = 0; i < ARRAY_SIZE(type); i++) {
		put16(f + 12, type[i]);
		send_frame(f, 100);
		ck_assert_uint_eq(gateway_stats(gateway).refused, ++refused);
	}
	put16(f + 12, 0x0806);
	send_frame(f, ETHER_HEADER + 27);
	put16(f + 12, 0x0800);
	f[IP] = 0x45;
	f[IP + 16] = 8;
	send_frame(f, ETHER_HEADER);
	send_frame(f, ETHER_HEADER + 19);
	send_frame(f, ETHER_HEADER + SUBNET_MTU + 1);
	ck_assert_uint_eq(gateway_stats(gateway).refused, refused += 4);
	f[IP + 16] = 224;
	send_frame(f, 100);
	memset(f + IP + 16, 0xff, 4);
	send_frame(f, 100);
	ck_assert_uint_eq(gateway_stats(gateway).refused, refused += 2);
	/* Lengths that say more than there is, headers that reach beyond the end, and none at all.
	 */
	memset(f + IP, 0, 100);
	f[IP + 16] = 8;
	for (unsigned header = 0; header < 16; header++)
		for (unsigned bytes = 20; bytes < 64; bytes++) {
			f[IP] = (uint8_t)(0x40 | header);
			f[IP + 9] = (uint8_t)(bytes & 1 ? TCP : UDP);
			put16(f + IP + 2, bytes & 2 ? 60000 : bytes & 4 ? 1 : bytes);
			put16(f + IP + 6, bytes & 8 ? 0x2000 : 0);
			put16(f + IP + 10, 0);
			put16(f + IP + 10, fold(sum(f + IP, MIN(4 * header, bytes))));
			send_frame(f, ETHER_HEADER + bytes);
		}
	pass_ms(5);
	ck_assert_uint_eq(gateway_stats(gateway).sockets, 0);
}
END_TEST

START_TEST(sockets_are_bounded)
{
	unsigned at;
	int fd = server(SOCK_DGRAM, &at);

	/* In one boundary, and in many. */
	for (unsigned i = 0; i < 2000; i++) {
		send_udp(GATEWAY_ADDRESS, PORT + i, at, 4);
		if (i >= 1000)
			pass_ms(i % 50 == 0);
	}
	pass_ms(5);
	ck_assert_uint_gt(gateway_stats(gateway).sockets, 100);
	ck_assert_uint_le(gateway_stats(gateway).sockets, 512);
	ck_assert_uint_ge(gateway_stats(gateway).refused, 1000);
	close(fd);
}
END_TEST

/* ---- whatever is sent ---------------------------------------------------------------------- */

/* A network of this process's own, in which there is nothing but loopback: false if we may not. */
static bool be_alone(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd, err;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	err = ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
	return !err;
}

/* A frame as it should be, of a conversation with the server at port `at`; its bytes. */
static uint32_t some_frame(uint64_t *seed, uint8_t f[2000], unsigned at)
{
	static const uint8_t flags[] = {SYN, ACK, ACK | 8, ACK | 1, RST, SYN | ACK, ACK | 32};
	unsigned protocol = (unsigned[]){TCP, TCP, UDP, 1}[splitmix64(seed) % 4];
	uint32_t bytes = 40 + (uint32_t)(splitmix64(seed) % (splitmix64(seed) % 8 ? 60 : 1500));

	memset(f, 0, 2000);
	memcpy(f, gateway_mac, 6);
	memcpy(f + 6, mac[0], 6);
	put16(f + 12, splitmix64(seed) % 16 ? 0x0800 : 0x0806);
	f[IP] = 0x45;
	put16(f + IP + 2, 20 + bytes);
	put16(f + IP + 4, splitmix64(seed) % 4);
	/* A fragment now and then: of the first, the last or in between. */
	put16(f + IP + 6, splitmix64(seed) % 4
				  ? 0
				  : (unsigned[]){0x2000, 5, 0x2005, 0x3fff}[splitmix64(seed) % 4]);
	f[IP + 8] = 64;
	f[IP + 9] = (uint8_t)protocol;
	put32(f + IP + 12, ME);
	put32(f + IP + 16, splitmix64(seed) % 8 ? GATEWAY_ADDRESS : gateway_nameserver(24));
	put16(f + L4, PORT + splitmix64(seed) % 4);
	put16(f + L4 + 2, at);
	if (protocol == TCP) {
		/* Goes on where the last answer was, more or less. */
		memcpy(f + L4 + 4, got + L4 + 8, 4);
		memcpy(f + L4 + 8, got + L4 + 4, 4);
		f[L4 + 11] = (uint8_t)(f[L4 + 11] + splitmix64(seed) % 3);
		f[L4 + 12] = 5 << 4;
		f[L4 + 13] = flags[splitmix64(seed) % ARRAY_SIZE(flags)];
		put16(f + L4 + 14, 8192);
	} else if (protocol == UDP) {
		put16(f + L4 + 4, bytes);
	} else {
		f[L4] = 8;
	}
	return L4 + bytes;
}

/* Some bytes are others, and then some checksums right again. */
static void spoil(uint64_t *seed, uint8_t *f, uint32_t bytes)
{
	for (unsigned n = splitmix64(seed) % 4; n > 0; n--)
		f[12 + splitmix64(seed) % (MIN(bytes, 80u) - 12)] = (uint8_t)splitmix64(seed);
	put16(f + IP + 10, 0);
	put16(f + IP + 10, fold(sum(f + IP, 20)));
	if (f[IP + 9] == TCP || f[IP + 9] == UDP) {
		uint8_t *at = f + L4 + (f[IP + 9] == TCP ? 16 : 6);

		put16(at, 0);
		put16(at, fold(sum(f + L4, bytes - L4) + sum(f + IP + 12, 8) + f[IP + 9] + bytes -
				  L4));
	}
}

START_TEST(whatever_is_sent)
{
	uint64_t seed = (uint64_t)_i;
	uint8_t f[2000];
	unsigned at, accepted = 0;
	int fd;

	if (!be_alone())
		return;
	fd = server(SOCK_STREAM, &at);
	for (unsigned n = 0; n < 20000; n++) {
		uint32_t bytes = some_frame(&seed, f, at);
		int peer;

		spoil(&seed, f, bytes);
		send_frame(f, bytes);
		if (n % 8)
			continue;
		now += CLOCK_HZ / 100;
		subnet_run(net, now);
		peer = accept(fd, NULL, NULL);
		if (peer < 0)
			continue;
		accepted++;
		if (send(peer, f, sizeof(f), 0) < 0 || splitmix64(&seed) & 1)
			shutdown(peer, SHUT_WR);
		if (accepted % 2)
			close(peer);
	}
	/* libslirp does not free what waits for ARP when it ends, but some polls and seconds later. */
	for (unsigned i = 0; i < 20; i++)
		subnet_run(net, now += 2 * CLOCK_HZ);
	/* It has been everywhere, and goes on. */
	ck_assert_uint_gt(accepted, 10);
	ck_assert_uint_gt(gateway_stats(gateway).frames_out, 10000);
	ck_assert_uint_gt(gateway_stats(gateway).frames_in, 1000);
	ck_assert_uint_gt(gateway_stats(gateway).refused, 100);
	ck_assert_uint_le(gateway_stats(gateway).sockets, 512);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gateway");
	TCase *outside = tcase_create("outside"), *host = tcase_create("host"),
	      *sized = tcase_create("sized");

	tcase_add_checked_fixture(outside, setup_outside, teardown);
	tcase_add_checked_fixture(host, setup_host, teardown);
	tcase_add_test(outside, gateway_and_server_of_names_say_where_they_are);
	tcase_add_test(outside, loopback_is_out_of_reach_otherwise);
	tcase_add_test(outside, malformed_and_foreign_frames_are_refused);
	tcase_add_test(host, a_server_on_loopback_is_reached_if_asked_for);
	tcase_add_test(host, datagrams_go_there_and_back);
	tcase_add_test(host, sockets_are_bounded);
	tcase_add_loop_test(host, whatever_is_sent, 0, 3);
	tcase_set_timeout(sized, 300);
	tcase_add_loop_test(sized, pings_of_all_sizes_are_answered, 0, 2 * ARRAY_SIZE(mtus));
	tcase_add_loop_test(
		sized, datagrams_of_all_sizes_go_there_and_back, 0, 2 * ARRAY_SIZE(mtus));
	suite_add_tcase(s, sized);
	suite_add_tcase(s, outside);
	suite_add_tcase(s, host);
	return run_suite(s);
}
