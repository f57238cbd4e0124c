"""Asks one SMT solver about files, one a line on standard input.

    solve.py z3|cvc5|bitwuzla

Each answer is a line: `unsat`, or `sat` and, of z3 alone, what the call is: arch, nr, instruction_pointer, arg0 ... arg5.
"""

import sys


def z3_answer(path):
    import z3

    # A context of its own: what one file defines is none of the next one's.
    solver = z3.SolverFor("QF_BV", ctx=z3.Context())
    solver.from_file(path)
    answer = str(solver.check())
    if answer != "sat":
        return answer
    model = solver.model()
    values = {str(name): model[name] for name in model.decls()}
    # What is missing does not matter.
    names = ["arch", "nr", "instruction_pointer"] + [f"arg{index}" for index in range(6)]
    return " ".join(["sat"] + [str(values[name].as_long() if name in values else 0) for name in names])


def cvc5_answer(path):
    import cvc5

    manager = cvc5.TermManager()
    solver = cvc5.Solver(manager)
    solver.setOption("bitblast", "eager")
    symbols = cvc5.SymbolManager(manager)
    parser = cvc5.InputParser(solver, symbols)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, path)
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said += command.invoke(solver, symbols)
    return said.strip()


def bitwuzla_answer(path):
    import bitwuzla

    parser = bitwuzla.Parser(bitwuzla.TermManager(), bitwuzla.Options())
    parser.parse(path, True, True)
    return str(parser.bitwuzla().check_sat()).split(".")[-1].lower()


answer = {"z3": z3_answer, "cvc5": cvc5_answer, "bitwuzla": bitwuzla_answer}[sys.argv[1]]
for line in sys.stdin:
    print(answer(line.rstrip("\n")), flush=True)
