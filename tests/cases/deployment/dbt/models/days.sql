SELECT day, n_orders FROM days
