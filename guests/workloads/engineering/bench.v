// SPDX-License-Identifier: MIT
//
// The test bench: a ring of CPUs, each of which runs a random program of its own. In a round of it, a CPU computes, loads, stores
// and branches, sends two words to the next and takes two from the one before. Beside each CPU a model executes what it retires,
// one instruction at a time and with no pipeline, and every value must be the same.
//
//   +seed=S    which programs     +rounds=R  how often each goes through its loop
//
// Prints one line that ends in "right" and a checksum, or says what went wrong first.

module model (
	input clk,
	input reset,
	input retire,
	input [7:0] retire_pc,
	input [31:0] retire_value,
	input got, // the model before this one sent a word
	input [31:0] got_word,
	output reg sent,
	output reg [31:0] sent_word,
	output reg halted,
	output reg [31:0] wrong,
	output reg [31:0] retired,
	output reg [31:0] sum
);
	reg [31:0] code [0:255];
	reg [31:0] memory [0:255];
	reg [31:0] register [0:15];
	reg [31:0] queue [0:31];
	reg [4:0] first, last;
	reg [7:0] pc;
	reg [31:0] ir, a, b, c, value;
	reg writes;

	always @(posedge clk) begin
		sent <= 0;
		if (reset) begin
			pc = 0;
			first = 0;
			last = 0;
			halted <= 0;
			wrong <= 0;
			retired <= 0;
			sum <= 0;
		end else begin
			if (got) begin
				queue[last] = got_word;
				last = last + 1;
			end
			if (retire) begin
				ir = code[pc];
				a = register[ir[23:20]];
				b = register[ir[19:16]];
				c = a + {{16{ir[15]}}, ir[15:0]};
				writes = 1;
				value = c;
				case (ir[31:28])
				`ADD: value = a + b;
				`SUB: value = a - b;
				`XOR: value = a ^ b;
				`AND: value = a & b;
				`MUL: value = a * b;
				`SHL: value = a << b[4:0];
				`SHR: value = a >> b[4:0];
				`OR: value = a | b;
				`ADDI: ;
				`LW: value = memory[c[7:0]];
				`IN: begin
					if (first == last) wrong <= wrong + 1;
					value = queue[first];
					first = first + 1;
				end
				default: writes = 0;
				endcase
				if (ir[31:28] == `SW) begin
					memory[c[7:0]] = b;
					value = b;
				end
				if (ir[31:28] == `OUT) begin
					value = a;
					sent <= 1;
					sent_word <= a;
				end
				if (retire_pc != pc || retire_value !== value) begin
					if (wrong == 0) $display("%m: at %d instead of %d: %h instead of %h", retire_pc, pc, retire_value, value);
					wrong <= wrong + 1;
				end
				if (writes && ir[27:24] != 0) register[ir[27:24]] = value;
				if (ir[31:28] == `BEQ && a == b || ir[31:28] == `BNE && a != b) pc = pc + ir[7:0];
				else pc = pc + 1;
				if (ir[31:28] == `HALT) halted <= 1;
				retired <= retired + 1;
				sum <= {sum[30:0], sum[31]} ^ value;
			end
		end
	end
endmodule

module bench;
	parameter CPUS = 4;
	parameter BODY = 160; // instructions of a round

	reg clk = 0, reset = 1;
	reg [31:0] seed, rounds, random;
	wire [CPUS-1:0] push, full, pop, empty, sent, halted;
	wire [31:0] data [0:CPUS-1], head [0:CPUS-1], word [0:CPUS-1], wrong [0:CPUS-1], retired [0:CPUS-1], sum [0:CPUS-1];

	// L'Ecuyer, "Tables of Linear Congruential Generators", 1999; the upper half changes places with the lower, which is less random.
	function [31:0] next(input [31:0] x);
		begin
			x = x * 32'd2891336453 + 32'd1;
			next = {x[15:0], x[31:16]};
		end
	endfunction

	genvar g;
	generate
		for (g = 0; g < CPUS; g = g + 1) begin : node
			localparam FROM = (g + CPUS - 1) % CPUS;
			wire retire;
			wire [7:0] retire_pc;
			wire [31:0] retire_value;
			integer i;
			reg [31:0] r, instruction;
			reg [3:0] d, a, b;

			cpu cpu (.clk(clk), .reset(reset), .out_data(data[g]), .out_push(push[g]), .out_full(full[g]), .in_data(head[FROM]),
				.in_empty(empty[FROM]), .in_pop(pop[FROM]), .retire(retire), .retire_pc(retire_pc), .retire_value(retire_value));
			// What CPU g sends.
			fifo link (.clk(clk), .reset(reset), .push(push[g]), .data(data[g]), .full(full[g]), .pop(pop[g]), .head(head[g]),
				.empty(empty[g]));
			model model (.clk(clk), .reset(reset), .retire(retire), .retire_pc(retire_pc), .retire_value(retire_value),
				.got(sent[FROM]), .got_word(word[FROM]), .sent(sent[g]), .sent_word(word[g]), .halted(halted[g]), .wrong(wrong[g]),
				.retired(retired[g]), .sum(sum[g]));

			task put(input integer at, input [31:0] what);
				begin
					cpu.code[at] = what;
					model.code[at] = what;
				end
			endtask

			// r1 counts rounds, r2 to r13 are computed with, and the loop is left when r1 is r0.
			task load;
				begin
					r = next(seed * 32'd2654435761 ^ (g + 1) * 32'h9e3779b9);
					for (i = 0; i < 256; i = i + 1) begin
						r = next(r);
						cpu.memory[i] = r;
						model.memory[i] = r;
					end
					for (i = 0; i < 16; i = i + 1) begin
						r = next(r);
						cpu.register[i] = i == 0 ? 0 : r;
						model.register[i] = cpu.register[i];
					end
					for (i = 0; i < 256; i = i + 1) put(i, {`HALT, 28'd0});
					put(0, {`ADDI, 4'd1, 4'd0, 4'd0, rounds[15:0]});
					put(1, {`OUT, 4'd0, 4'd2, 20'd0});
					put(2, {`OUT, 4'd0, 4'd3, 20'd0});
					put(3, {`IN, 4'd3, 24'd0});
					for (i = 4; i < BODY; i = i + 1) begin
						r = next(r);
						d = 2 + r[5:0] % 12;
						a = 2 + r[11:6] % 12;
						b = 2 + r[17:12] % 12;
						instruction = {4'd0, d, a, b, r[31:16]};
						r = next(r);
						case (r[4:0])
						0, 1, 2, 3, 4: instruction[31:28] = `LW;
						5, 6, 7: instruction[31:28] = `SW;
						8, 9: instruction[31:28] = `MUL;
						10: instruction[31:28] = `SHL;
						11: instruction[31:28] = `SHR;
						12, 13, 14: instruction[31:28] = `SUB;
						15, 16, 17: instruction[31:28] = `XOR;
						18: instruction[31:28] = `AND;
						19: instruction[31:28] = `OR;
						20, 21, 22: instruction[31:28] = `ADDI;
						23, 24: begin // over one to three
							instruction[31:28] = r[5] ? `BEQ : `BNE;
							instruction[15:0] = i + 4 < BODY ? 2 + r[9:6] % 3 : 1;
						end
						default: instruction[31:28] = `ADD;
						endcase
						put(i, instruction);
					end
					put(BODY, {`IN, 4'd2, 24'd0});
					put(BODY + 1, {`ADDI, 4'd1, 4'd1, 4'd0, 16'hffff});
					put(BODY + 2, {`BNE, 4'd0, 4'd1, 4'd0, 16'd0 - BODY[15:0] - 16'd1});
				end
			endtask

			initial begin
				#1 load;
			end
		end
	endgenerate

	integer k;
	reg [31:0] cycles, total_wrong, total_retired, total_sum;

	initial begin
		if (!$value$plusargs("seed=%d", seed)) seed = 1;
		if (!$value$plusargs("rounds=%d", rounds)) rounds = 10;
		#12 reset = 0;
	end

	always #2 clk = !clk;

	initial cycles = 0;
	always @(posedge clk) begin
		cycles <= cycles + 1;
		if (!reset && (&halted || cycles > (rounds + 1) * BODY * 40)) begin
			total_wrong = 0;
			total_retired = 0;
			total_sum = 0;
			for (k = 0; k < CPUS; k = k + 1) begin
				total_wrong = total_wrong + wrong[k];
				total_retired = total_retired + retired[k];
				total_sum = {total_sum[28:0], total_sum[31:29]} ^ sum[k];
			end
			$display("verilog %0d: %0d cycles, %0d instructions, %0s %h", seed, cycles, total_retired,
				total_wrong == 0 && &halted ? "right" : "WRONG", total_sum);
			$finish(0);
		end
	end
endmodule
