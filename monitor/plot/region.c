// SPDX-License-Identifier: MIT
/*
 * When the regions of interest were. Statistics have each region's counts but not its time, which
 * the markers of all VMs tell: a region lasts from the moment a VM enters one while none is in one,
 * until none is.
 */
#include <stdlib.h>

#include "monitor/plot/plot.h"
#include "monitor/vm/counts.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"

struct event {
	double cycles;
	size_t vm;
	int value; /* MARK_BEGIN, MARK_END; 0: the VM stopped */
};

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->cycles < y->cycles ? -1 : x->cycles > y->cycles;
}

static void add(
	struct event **list, size_t *n, size_t vm, const json_t *o, const char *key, int value)
{
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = (struct event){json_number_value(json_object_get(o, key)), vm, value};
}

static struct event *read_events(const json_t *root, size_t *n)
{
	const json_t *vms = json_object_get(json_object_get(root, "numa"), "vms"), *vm, *mark;
	struct event *list = NULL;
	size_t i, k;

	*n = 0;
	json_array_foreach(vms, i, vm)
	{
		const json_t *state = json_array_get(json_object_get(root, "vms"), i);

		json_array_foreach(json_object_get(vm, "marks"), k, mark)
		{
			json_int_t value = json_integer_value(json_object_get(mark, "value"));

			if (value == MARK_BEGIN || value == MARK_END)
				add(&list, n, i, mark, "cycles", (int)value);
		}
		if (json_is_number(json_object_get(state, "stopped_cycles")))
			add(&list, n, i, state, "stopped_cycles", 0);
	}
	if (list)
		qsort(list, *n, sizeof(*list), by_time);
	return list;
}

unsigned plot_regions(const json_t *root, struct plot_span *span)
{
	const json_t *vms = json_object_get(json_object_get(root, "numa"), "vms");
	unsigned *depth = xcalloc(json_array_size(vms), sizeof(*depth)), inside = 0, found = 0;
	size_t n;
	struct event *event = read_events(root, &n);

	for (size_t i = 0; i < n; i++) {
		unsigned *d = &depth[event[i].vm], before = inside;

		inside -= *d > 0;
		*d = event[i].value == MARK_BEGIN ? *d + 1 : *d && event[i].value ? *d - 1 : 0;
		inside += *d > 0;
		if (!before && inside && found++ < REGIONS_MAX)
			span[found - 1] = (struct plot_span){event[i].cycles,
				json_number_value(json_object_get(root, "cycles"))};
		else if (before && !inside && found <= REGIONS_MAX)
			span[found - 1].to = event[i].cycles;
	}
	free(event);
	free(depth);
	return MIN(found, (unsigned)REGIONS_MAX);
}
