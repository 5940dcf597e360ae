# The tests of kills must fail with a library that has a fault.
#
# Usage: tclsh planted.tcl BUILD
#
# BUILD holds kill-step and kill-storm built with each fault of plant.tcl. Each
# must report a failed test, of the kind that the fault makes. The last line is
# `N passed, N failed`.

namespace eval planted {
    variable passed 0 failed 0
}

# Runs a program that is to fail a test whose line, or a note of which, matches.
proc planted::expect {pattern program args} {
    variable passed
    variable failed
    set wrong [catch {exec $program {*}$args 2>@1} text]
    if {$wrong && [regexp -line {^not ok } $text] && [regexp -line $pattern $text]} {
        incr passed
        return
    }
    incr failed
    puts "[file tail $program] found nothing:\n$text"
}

proc planted::main {build} {
    variable passed
    variable failed
    foreach fault {two-steps wake-one no-debt} {
        expect {hangs|blocked for good} [file join $build kill-step-$fault] -awake -first
    }
    expect {no message moves|does not end|stay behind} [file join $build kill-storm-wake-one] \
        -kills 20000 -seed 1 -first
    puts "$passed passed, $failed failed"
    exit [expr {$failed > 0}]
}

planted::main {*}$argv
