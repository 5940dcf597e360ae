# A window that shows who has which port, as it changes.
#
#   wish window.tcl ?HOST? ?PATTERN?
#
# It stays alive whatever becomes of the port manager, and shows the truth again when the manager
# is back. What is drawn is the table, some 25 times a second at most, not each event.

package require Tk
package require portAllocator

lassign $argv host pattern
set table [dict create]

ttk::treeview .ports -columns {port name user attributes} -show headings
foreach column {port name user attributes} {
    .ports heading $column -text $column
}
ttk::label .state
pack .ports -fill both -expand 1
pack .state -fill x

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
        lost {
            .state configure -text $what
        }
        restored {
            .state configure -text ""
        }
    }
    if {![info exists ::drawing]} {
        set ::drawing [after 40 draw]
    }
}

proc draw {} {
    unset ::drawing
    .ports delete [.ports children {}]
    dict for {port row} $::table {
        .ports insert {} end -values [dict values $row]
    }
}

portAllocator create pm -hostname $host
pm watch hear -name [expr {$pattern eq "" ? "*" : $pattern}]
