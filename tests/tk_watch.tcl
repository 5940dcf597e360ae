# A window that watches a port manager, and another host: what tk.test looks at.
#
#   wish tk_watch.tcl PORT HOST NAME
#
# PORT is that of the manager of this host; HOST is an address that drops packets,
# NAME one that no name server tells. It obeys commands on its standard input and
# answers each with a line; what they are is seen below. Every millisecond a timer
# measures how long events have had to wait for their turn: by the clock, which other
# processes move on, too, and by the time that this one has had a processor.

package require Tk
package require portAllocator

lassign $argv port host name
set table [dict create]
array set count {events 0 ticks 0 lost 0 restored 0 drawn 0 elsewhere 0}
set work {}
set clock {}

# ------------------------------------------------------------------- the window --

pack [listbox .list -width 40 -height 20] [label .state]

proc draw {} {
    incr ::count(drawn)
    .list delete 0 end
    dict for {number row} $::table {
        .list insert end "$number [dict get $row name] [dict get $row attributes]"
    }
}

proc hear {word args} {
    set what [lindex $args 0]
    switch -- $word {
        snapshot {
            set ::table [dict create]
            foreach row $what {
                dict set ::table [dict get $row port] $row
            }
        }
        add - change {
            dict set ::table [dict get $what port] $what
        }
        remove {
            dict unset ::table [dict get $what port]
        }
        lost - restored {
            incr ::count($word)
            .state configure -text "$word $what"
        }
    }
    incr ::count(events)
    if {![info exists ::drawing]} {
        set ::drawing [after 40 {unset drawing; draw}]
    }
}

# -------------------------------------------------------------------- the timer --

# How long this thread has had a processor, in microseconds; 0 where the kernel does not say.
if {[catch {open /proc/self/schedstat} schedstat]} {
    proc worked {} {
        return 0
    }
} else {
    proc worked {} {
        seek $::schedstat 0
        return [expr {[lindex [gets $::schedstat] 0] / 1000}]
    }
}

proc tick {} {
    set now [clock microseconds]
    set worked [worked]
    lappend ::clock [expr {$now - $::last - 1000}]
    lappend ::work [expr {$worked - $::last_worked}]
    set ::last [clock microseconds]
    set ::last_worked $worked
    incr ::count(ticks)
    after 1 tick
}

# --------------------------------------------------------------------- the test --

proc answer {command args} {
    switch -- $command {
        count {
            return [array get ::count]
        }
        waits {
            # The longest turns, and how many there were.
            set answer [list [tcl::mathfunc::max {*}$::work] [tcl::mathfunc::max {*}$::clock] \
                [llength $::work]]
            set ::work {}
            set ::clock {}
            return $answer
        }
        table {
            return [lsort [lmap row [dict values $::table] {
                list [dict get $row port] [dict get $row name] [dict get $row user]
            }]]
        }
        elsewhere {
            # Whatever can be asked of who does not answer.
            foreach where {packets names} {
                foreach question {listPorts {find -name x} {findServer x} {wait x -timeout 400}} {
                    $where {*}$question -command {apply {{outcome} {incr ::count(elsewhere)}}}
                }
                $where watch list
            }
            return {}
        }
    }
}

fconfigure stdout -buffering line
fconfigure stdin -blocking 0
fileevent stdin readable {
    if {[gets stdin line] >= 0} {
        puts [answer {*}$line]
    } elseif {[eof stdin]} {
        exit
    }
}

portAllocator create here -port $port -timeout 2000
portAllocator create packets -hostname $host -port $port -timeout 300
portAllocator create names -hostname $name -port $port -timeout 300
here watch hear
set last [clock microseconds]
set last_worked [worked]
tick
