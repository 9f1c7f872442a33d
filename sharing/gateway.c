// SPDX-License-Identifier: MIT
/*
 * The gateway: see gateway.h. libslirp parses what VMs send, and VMs are hostile. It gets only ARP
 * and whole IPv4 packets of a size that our subnet can have, to destinations that can be outside,
 * and no more of them than would open SOCKETS_MAX sockets, because a process without a free
 * descriptor serves no guest. Its TFTP and DHCP servers are off.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>

#include "numa/util.h"
#include "sharing/gateway.h"
#include "sharing/reassembly.h"

enum {
	SOCKETS_MAX = 512,
	MTU = 1500, /* libslirp's MTU towards VMs is at most this: VMs' TCP keeps to it */
	FRAGMENTS_SECONDS = 15, /* a datagram waits for its fragments (RFC 791) */
	POLLS_SECOND = 1000,
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	ARP_BYTES = 28,
	PROTOCOL_TCP = 6,
	TCP_FLAGS = 13, /* in its header */
	TCP_SYN = 2,
	TCP_ACK = 16,
};

struct gateway {
	struct subnet *net;
	struct subnet_port *port, *names;
	Slirp *slirp;
	struct reassembly *fragments;
	uint64_t clock_hz, now, poll_at;
	struct pollfd *fd; /* as of the last poll */
	unsigned n_fds, cap_fds;
	unsigned opening; /* frames since that poll which may have opened a socket */
	uint64_t frames_out, bytes_out, refused, sockets;
	uint8_t frame[PACKET_MAX];
};

/* ---- what libslirp calls ------------------------------------------------------------------- */

static ssize_t send_packet(const void *buf, size_t bytes, void *arg)
{
	struct gateway *g = arg;
	const struct packet_span span = {.mpn = MPN_NONE,
		.data = buf,
		.bytes = (uint32_t)MIN(bytes, (size_t)PACKET_MAX + 1)};

	subnet_send(g->port, &span, 1, NULL, 0);
	return (ssize_t)bytes;
}

static void guest_error(const char *message, void *arg)
{
	(void)message, (void)arg; /* VMs' own business */
}

static int64_t clock_ns(void *arg)
{
	const struct gateway *g = arg;

	return (int64_t)((unsigned __int128)g->now * 1000000000 / g->clock_hz);
}

/* libslirp uses timers for IPv6 alone, which is off. */
static void *timer_new(SlirpTimerCb cb, void *cb_arg, void *arg)
{
	(void)cb, (void)cb_arg;
	return arg;
}

static void timer_free(void *timer, void *arg)
{
	(void)timer, (void)arg;
}

static void timer_mod(void *timer, int64_t expires_ms, void *arg)
{
	(void)timer, (void)expires_ms, (void)arg;
}

static void watch(int fd, void *arg)
{
	(void)fd, (void)arg; /* libslirp names all its sockets at each poll */
}

static void notify(void *arg)
{
	(void)arg;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = watch,
	.unregister_poll_fd = watch,
	.notify = notify,
};

/* ---- from VMs ------------------------------------------------------------------------------ */

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8u | at[1];
}

/* May it open a socket? */
static bool opens(const uint8_t *ip, uint32_t bytes)
{
	uint32_t header = (ip[0] & 15u) * 4;

	if (ip[9] != PROTOCOL_TCP)
		return true;
	return header + TCP_FLAGS >= bytes ||
	       (ip[header + TCP_FLAGS] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Can the destination be outside? Not 0.0.0.0/8 and loopback addresses, which the host's kernel
 * takes for its own, nor groups. The gateway's address leads to the host's loopback address only if
 * the user asked for it: libslirp checks. */
static bool outside(const uint8_t *to)
{
	return to[0] != 0 && to[0] != 127 && to[0] < 224;
}

static bool may_open(struct gateway *g, const uint8_t *ip, uint32_t bytes)
{
	return !opens(ip, bytes) || g->n_fds + g->opening++ < SOCKETS_MAX;
}

/*
 * The frame, of *bytes, as libslirp is to have it: false if it must not. A fragment leaves no
 * bytes, but the last of a datagram, which leaves that.
 */
static bool prepare(struct gateway *g, uint8_t *frame, uint32_t *bytes)
{
	uint8_t *ip = frame + ETHER_HEADER, *whole;
	uint32_t n = *bytes - ETHER_HEADER, header;
	int total;

	if (*bytes > ETHER_HEADER + (uint32_t)subnet_mtu(g->net))
		return false;
	if (get16(frame + 12) == TYPE_ARP)
		return n >= ARP_BYTES;
	if (get16(frame + 12) != TYPE_IPV4 || n < IPV4_HEADER || ip[0] >> 4 != 4 ||
		!outside(ip + 16))
		return false;
	header = (ip[0] & 15u) * 4;
	if (header < IPV4_HEADER || header > n)
		return false;
	if (!ipv4_is_fragment(ip)) {
		ipv4_allow_fragments(ip);
		return may_open(g, ip, n);
	}
	total = reassembly_add(g->fragments, ip, n, g->now, &whole);
	*bytes = total > 0 ? ETHER_HEADER + (uint32_t)total : 0;
	if (total <= 0)
		return !total;
	memcpy(ip, whole, (size_t)total);
	return may_open(g, ip, (uint32_t)total);
}

static int deliver(void *arg, const struct packet *k)
{
	struct gateway *g = arg;
	uint32_t bytes = k->bytes;

	packet_copy(subnet_packets(g->net), k, 0, g->frame, bytes);
	if (!prepare(g, g->frame, &bytes)) {
		g->refused++;
		return -EPERM;
	}
	g->frames_out++;
	g->bytes_out += k->bytes;
	if (bytes)
		slirp_input(g->slirp, g->frame, (int)bytes);
	g->poll_at = 0;
	return 0;
}

/* The gateway has got packets to all ports already. */
static int deliver_names(void *arg, const struct packet *k)
{
	const struct gateway *g = arg;
	uint8_t first;

	packet_copy(subnet_packets(g->net), k, 0, &first, 1);
	return first & 1 ? 0 : deliver(arg, k);
}

static unsigned takes(void *arg)
{
	(void)arg;
	return 0;
}

/* ---- from outside -------------------------------------------------------------------------- */

static int add_fd(int fd, int events, void *arg)
{
	struct gateway *g = arg;

	if (g->n_fds == g->cap_fds) {
		g->cap_fds = MAX(16u, 2 * g->cap_fds);
		g->fd = xrealloc(g->fd, g->cap_fds * sizeof(g->fd[0]));
	}
	g->fd[g->n_fds] = (struct pollfd){.fd = fd,
		.events = (short)((events & SLIRP_POLL_IN ? POLLIN : 0) |
				  (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
				  (events & SLIRP_POLL_PRI ? POLLPRI : 0))};
	return (int)g->n_fds++;
}

static int got_events(int i, void *arg)
{
	const struct gateway *g = arg;
	short events = g->fd[i].revents;

	return (events & POLLIN ? SLIRP_POLL_IN : 0) | (events & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (events & POLLPRI ? SLIRP_POLL_PRI : 0) | (events & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (events & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void run(void *arg, uint64_t now)
{
	struct gateway *g = arg;
	uint32_t timeout_ms = 0;

	g->now = now;
	if (now < g->poll_at)
		return;
	g->poll_at = now + g->clock_hz / POLLS_SECOND;
	g->n_fds = g->opening = 0;
	slirp_pollfds_fill(g->slirp, &timeout_ms, add_fd, g);
	g->sockets = MAX(g->sockets, (uint64_t)g->n_fds);
	slirp_pollfds_poll(g->slirp, poll(g->fd, g->n_fds, 0) < 0, got_events, g);
}

/* When to poll sockets again. */
static uint64_t next(void *arg)
{
	const struct gateway *g = arg;

	return gateway_busy(g) ? MAX(g->poll_at, g->now + 1) : UINT64_MAX;
}

bool gateway_busy(const struct gateway *g)
{
	return g && (g->n_fds || g->opening);
}

/* ---- making and unmaking ------------------------------------------------------------------- */

static const struct subnet_port_ops port_ops = {
	.deliver = deliver, .takes = takes, .run = run, .next = next};
static const struct subnet_port_ops names_ops = {.deliver = deliver_names, .takes = takes};

static uint32_t mask(unsigned prefix)
{
	return UINT32_MAX << (32 - prefix);
}

uint32_t gateway_nameserver(unsigned prefix)
{
	return GATEWAY_NET | (~mask(prefix) - 1);
}

/* The Ethernet addresses with which libslirp answers ARP. */
static struct subnet_port *attach(
	struct gateway *g, uint32_t address, const struct subnet_port_ops *ops)
{
	const uint8_t mac[6] = {0x52, 0x55, (uint8_t)(address >> 24), (uint8_t)(address >> 16),
		(uint8_t)(address >> 8), (uint8_t)address};

	return subnet_attach(g->net, mac, ops, g);
}

struct gateway *gateway_create(struct subnet *s, const struct gateway_options *o)
{
	struct gateway *g = xcalloc(1, sizeof(*g));
	const SlirpConfig config = {
		.version = 4,
		.in_enabled = true,
		.vnetwork.s_addr = htonl(GATEWAY_NET),
		.vnetmask.s_addr = htonl(mask(o->prefix)),
		.vhost.s_addr = htonl(GATEWAY_ADDRESS),
		.vnameserver.s_addr = htonl(gateway_nameserver(o->prefix)),
		.if_mtu = MIN((size_t)MTU, (size_t)subnet_mtu(s)),
		.if_mru = MIN((size_t)MTU, (size_t)subnet_mtu(s)),
		.disable_host_loopback = !o->loopback,
		.disable_dhcp = true,
	};

	signal(SIGPIPE, SIG_IGN); /* libslirp writes to sockets whose peers may be gone */
	g->net = s;
	g->clock_hz = o->clock_hz;
	g->slirp = slirp_new(&config, &callbacks, g);
	if (!g->slirp) {
		free(g);
		return NULL;
	}
	g->fragments = reassembly_create(FRAGMENTS_SECONDS * o->clock_hz);
	g->port = attach(g, GATEWAY_ADDRESS, &port_ops);
	g->names = attach(g, gateway_nameserver(o->prefix), &names_ops);
	return g;
}

void gateway_destroy(struct gateway *g)
{
	if (!g)
		return;
	slirp_cleanup(g->slirp); /* may send its last frames */
	subnet_detach(g->names);
	subnet_detach(g->port);
	reassembly_destroy(g->fragments);
	free(g->fd);
	free(g);
}

struct gateway_stats gateway_stats(const struct gateway *g)
{
	const struct subnet_stats *p = subnet_port_stats(g->port);

	return (struct gateway_stats){
		.frames_out = g->frames_out,
		.bytes_out = g->bytes_out,
		.frames_in = p->frames_sent,
		.bytes_in = p->bytes_sent,
		.refused = g->refused,
		.sockets = g->sockets,
	};
}
