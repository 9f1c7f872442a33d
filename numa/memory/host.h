// SPDX-License-Identifier: MIT
/*
 * Machine memory on a real NUMA host: each node's frames are pages of one memfd whose memory comes
 * from that node and no other. All memfds lie side by side in one range of the monitor's address
 * space, so that frame_data() is what it is on a simulated machine, and a frame can be mapped a
 * second time, where a guest sees it, by its memfd and its place in that.
 *
 * Boundary, and before the run.
 */
#ifndef NUMA_MEMORY_HOST_H
#define NUMA_MEMORY_HOST_H

#include "numa/memory/frame.h"
#include "numa/machine/machine.h"

struct host_memory;

/*
 * Give each node of a machine that is this host as much memory as it has free now, less a reserve
 * for others; at most `limit` bytes in all, spread as the free memory is (0: no limit). 0,
 * or a negative errno after one line on stderr.
 */
int host_memory_size(struct machine *m, uint64_t limit);

/* Memory for a machine that is this host, in the kernel's huge pages where it can if `huge`: then
 * the first touch of a frame by frame_data() takes those around it, too, 2 MiB. 0, or a negative
 * errno after one line on stderr. */
int host_memory_create(
	const struct machine *m, bool huge, struct host_memory **out, struct memory **mem);
/* After memory_destroy(). */
void host_memory_destroy(struct host_memory *h);

/* Where a frame is: its memfd, and the offset there. Frames of one node with neighbouring numbers
 * are neighbours. */
int host_frame(
	const struct host_memory *h, const struct memory *mem, uint32_t mpn, uint64_t *offset);

/* Let thread `tid` of the host, 0 for the calling one, run on the CPUs of this node only. */
void host_bind_task(const struct machine *m, int tid, unsigned node);
/* The node whose CPUs are all that thread `tid` may run on, of any process or the kernel's own; -1:
 * there is no such thread, or it is not of one node. Any thread may ask. */
int host_task_node(const struct machine *m, int tid);
/* Let the calling thread run on the CPUs of this node only (cpu < 0), or on this CPU only. */
void host_bind_thread(const struct machine *m, unsigned node, int cpu);

#endif
