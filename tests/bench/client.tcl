# client.tcl - the Tcl side of the benchmark: does what it reads from standard input.
#
#   tclsh client.tcl PKGDIR
#
# Commands, one a line, and the answers, one line each:
#   port N    use the manager at port N of this host    ready
#   find N    N times findServer app_5 user             MICROSECONDS PORT
#   list N    N times listPorts                         MICROSECONDS COUNT
#   findlater N, listlater N   the same with -command, one by one
#   findtogether N, listtogether N   likewise, five at a time
# A command that fails answers `error MESSAGE`. The script ends at the end of its input.

lappend auto_path [lindex $argv 0]
package require portAllocator

proc find_repeatedly {times} {
    set begun [clock microseconds]
    for {set i 0} {$i < $times} {incr i} {
        set port [::p findServer app_5 user]
    }
    return [list [expr {[clock microseconds] - $begun}] $port]
}

proc list_repeatedly {times} {
    set begun [clock microseconds]
    for {set i 0} {$i < $times} {incr i} {
        set ports [::p listPorts]
    }
    return [list [expr {[clock microseconds] - $begun}] [llength $ports]]
}

proc told {outcome} {
    set ::outcome $outcome
    incr ::left -1
}

proc later_repeatedly {times at_once args} {
    set begun [clock microseconds]
    for {set i 0} {$i < $times} {incr i $at_once} {
        set ::left $at_once
        for {set k 0} {$k < $at_once} {incr k} {
            ::p {*}$args -command told
        }
        while {$::left > 0} {
            vwait ::left
        }
    }
    return [list [expr {[clock microseconds] - $begun}] [lindex $::outcome 1]]
}

proc answer {command number} {
    switch -exact -- $command {
        port {
            ::portAllocator create ::p -hostname 127.0.0.1 -port $number
            return ready
        }
        find {
            return [find_repeatedly $number]
        }
        list {
            return [list_repeatedly $number]
        }
        findlater {
            return [later_repeatedly $number 1 findServer app_5 user]
        }
        findtogether {
            return [later_repeatedly $number 5 findServer app_5 user]
        }
        listlater - listtogether {
            lassign [later_repeatedly $number [expr {$command eq "listlater" ? 1 : 5}] \
                listPorts] us ports
            return [list $us [llength $ports]]
        }
    }
    error "unknown command $command"
}

fconfigure stdout -buffering line -translation lf
while {[gets stdin line] >= 0} {
    if {[catch {answer {*}$line} result]} {
        set result "error [string map {\n { }} $result]"
    }
    puts $result
}
