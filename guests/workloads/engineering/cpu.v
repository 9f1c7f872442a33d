// SPDX-License-Identifier: MIT
//
// A small 32-bit CPU with five stages (fetch, decode, execute, memory, write back), forwarding, and memories of its own, and the
// FIFO by which CPUs send each other words. A load's result is there one cycle late; a taken branch costs two; IN waits for a
// word, OUT for room.
//
// An instruction: operation [31:28], destination [27:24], sources a [23:20] and b [19:16], constant [15:0], signed. Register 0 is
// zero.

`define ADD  4'd0 // d = a + b
`define SUB  4'd1 // d = a - b
`define XOR  4'd2
`define AND  4'd3
`define MUL  4'd4
`define SHL  4'd5 // d = a << b[4:0]
`define SHR  4'd6
`define ADDI 4'd7 // d = a + constant
`define LW   4'd8 // d = memory[a + constant]
`define SW   4'd9 // memory[a + constant] = b
`define BEQ  4'd10 // if a = b, go to this instruction + constant
`define BNE  4'd11
`define IN   4'd12 // d = a word from the link
`define OUT  4'd13 // a to the link
`define OR   4'd14
`define HALT 4'd15

module cpu (
	input clk,
	input reset,
	output [31:0] out_data,
	output out_push,
	input out_full,
	input [31:0] in_data,
	input in_empty,
	output in_pop,
	output reg retire, // an instruction leaves the pipeline: which, and what it wrote, stored or sent
	output reg [7:0] retire_pc,
	output reg [31:0] retire_value
);
	reg [31:0] code [0:255];
	reg [31:0] memory [0:255];
	reg [31:0] register [0:15];

	reg [7:0] pc;
	reg stopped;

	// What each stage got from the one before.
	reg d_valid, x_valid, m_valid, w_valid;
	reg [7:0] d_pc, x_pc, m_pc, w_pc;
	reg [31:0] d_ir, x_ir, x_a, x_b, m_value, m_store, w_value;
	reg [3:0] m_op, m_rd, w_op, w_rd;

	function writes(input [3:0] op);
		writes = op <= `LW || op == `IN || op == `OR;
	endfunction

	function uses_b(input [3:0] op);
		uses_b = op <= `SHR || op == `SW || op == `BEQ || op == `BNE || op == `OR;
	endfunction

	// Decode: registers, with what is written back in this very cycle.
	wire [3:0] d_op = d_ir[31:28], d_ra = d_ir[23:20], d_rb = d_ir[19:16];
	wire w_writes = w_valid && writes(w_op) && w_rd != 0;
	wire [31:0] d_a = w_writes && w_rd == d_ra ? w_value : register[d_ra];
	wire [31:0] d_b = w_writes && w_rd == d_rb ? w_value : register[d_rb];

	// Execute: operands, the youngest that is under way first.
	wire [3:0] x_op = x_ir[31:28], x_rd = x_ir[27:24], x_ra = x_ir[23:20], x_rb = x_ir[19:16];
	wire [31:0] x_constant = {{16{x_ir[15]}}, x_ir[15:0]};
	wire m_writes = m_valid && writes(m_op) && m_rd != 0;
	wire [31:0] a = m_writes && m_rd == x_ra ? m_value : w_writes && w_rd == x_ra ? w_value : x_a;
	wire [31:0] b = m_writes && m_rd == x_rb ? m_value : w_writes && w_rd == x_rb ? w_value : x_b;
	reg [31:0] result;
	always @* begin
		case (x_op)
		`ADD: result = a + b;
		`SUB: result = a - b;
		`XOR: result = a ^ b;
		`AND: result = a & b;
		`MUL: result = a * b;
		`SHL: result = a << b[4:0];
		`SHR: result = a >> b[4:0];
		`IN: result = in_data;
		`OUT: result = a;
		`OR: result = a | b;
		default: result = a + x_constant;
		endcase
	end
	wire waits = x_valid && (x_op == `IN && in_empty || x_op == `OUT && out_full);
	wire taken = x_valid && (x_op == `BEQ && a == b || x_op == `BNE && a != b);
	wire late = x_valid && x_op == `LW && x_rd != 0 && d_valid && (x_rd == d_ra || uses_b(d_op) && x_rd == d_rb);
	assign in_pop = x_valid && x_op == `IN && !in_empty;
	assign out_push = x_valid && x_op == `OUT && !out_full;
	assign out_data = a;

	always @(posedge clk) begin
		if (reset) begin
			pc <= 0;
			stopped <= 0;
			d_valid <= 0;
			x_valid <= 0;
			m_valid <= 0;
			w_valid <= 0;
			retire <= 0;
		end else begin
			// Write back.
			if (w_writes) register[w_rd] <= w_value;
			retire <= w_valid;
			retire_pc <= w_pc;
			retire_value <= w_value;
			// Memory.
			w_valid <= m_valid;
			w_pc <= m_pc;
			w_op <= m_op;
			w_rd <= m_rd;
			w_value <= m_op == `LW ? memory[m_value[7:0]] : m_op == `SW ? m_store : m_value;
			if (m_valid && m_op == `SW) memory[m_value[7:0]] <= m_store;
			// Execute.
			m_valid <= x_valid && !waits;
			m_pc <= x_pc;
			m_op <= x_op;
			m_rd <= x_rd;
			m_value <= result;
			m_store <= b;
			// Decode and fetch. Who waits in execute takes up what passes by from the stages behind.
			if (waits) begin
				x_a <= a;
				x_b <= b;
			end else begin
				x_valid <= d_valid && !taken && !late;
				x_pc <= d_pc;
				x_ir <= d_ir;
				x_a <= d_a;
				x_b <= d_b;
				if (taken) begin
					pc <= x_pc + x_ir[7:0];
					d_valid <= 0;
					stopped <= 0;
				end else if (!late) begin
					d_valid <= !stopped;
					d_pc <= pc;
					d_ir <= code[pc];
					pc <= pc + 1;
					stopped <= stopped || code[pc][31:28] == `HALT;
				end
			end
		end
	end
endmodule

module fifo (
	input clk,
	input reset,
	input push,
	input [31:0] data,
	output full,
	input pop,
	output [31:0] head,
	output empty
);
	reg [31:0] word [0:7];
	reg [3:0] first, last; // counted on: equal is empty

	assign empty = first == last;
	assign full = last - first == 4'd2;
	assign head = word[first[2:0]];

	always @(posedge clk) begin
		if (reset) begin
			first <= 0;
			last <= 0;
		end else begin
			if (push) begin
				word[last[2:0]] <= data;
				last <= last + 1;
			end
			if (pop) first <= first + 1;
		end
	end
endmodule
