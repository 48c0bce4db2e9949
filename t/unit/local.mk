# t/unit
