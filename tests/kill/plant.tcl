# Writes ports/waiting.c as it must not be, to see the tests of kills fail; and
# once as it may be, to see them pass without a safety net.
#
# Usage: tclsh plant.tcl CHANGE waiting.c changed.c
#
#   awake      nobody who sleeps looks now and then: only others wake him
#   two-steps  and the bit is cleared before the wake, no longer together with it
#   wake-one   and a wake wakes one of those who sleep, no longer all
#   no-debt    and who blocks does not pay what a killed process owes
#
# Fails when the text to be changed is not there as often as expected.

namespace eval plant {
    # Of each change: text, how often it is there, what stands there instead.
    variable changes {
        awake {
            "(uint64_t)WAITING_NAP_MS" 2 "(uint64_t)3600000"
        }
        two-steps {
            "change_and_wake(segment, FUTEX_OP_ANDN, (int)waiting_bit(side));" 1
            "atomic_fetch_and(&segment->word, ~waiting_bit(side));
            change_and_wake(segment, FUTEX_OP_ANDN, 0);"
        }
        wake-one {
            "FUTEX_WAKE_OP, INT_MAX, 0L" 1 "FUTEX_WAKE_OP, 1, 0L"
        }
        no-debt {
            "waiting_settle(segment, waiting_other(side));" 1 ";"
            "waiting_settle(segment, waiting_other(wait->side));" 1 ";"
        }
    }
}

proc plant::change {text changes} {
    foreach {old times new} $changes {
        set found [llength [regexp -all -inline -- "***=$old" $text]]
        if {$found != $times} {
            error "\"$old\" is there $found times, not $times"
        }
        set text [string map [list $old $new] $text]
    }
    return $text
}

proc plant::main {name from to} {
    variable changes
    set file [open $from]
    set text [read $file]
    close $file
    foreach step [lsort -unique [list awake $name]] {
        set text [change $text [dict get $changes $step]]
    }
    set file [open $to w]
    puts -nonewline $file $text
    close $file
}

if {[catch {plant::main {*}$argv} message]} {
    puts stderr "plant.tcl: $message"
    exit 1
}
