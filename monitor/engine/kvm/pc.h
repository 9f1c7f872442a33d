/* SPDX-License-Identifier: MIT */
/*
 * The board of VMs under KVM.
 */
#ifndef MONITOR_ENGINE_KVM_PC_H
#define MONITOR_ENGINE_KVM_PC_H

#include "monitor/vm/board.h"

extern const struct board board_pc;

#endif
