-- What the shop starts with. It is captured like everything that comes later.
INSERT INTO customers (name, email, city)
SELECT first || ' ' || last, lower(first || '.' || last || n || '@example.org'), city
FROM (SELECT n, (ARRAY['Ada', 'Björn', 'Chloé', 'Dmitri', 'Elif', 'Farid', 'Grace', 'Hana'])[1 + n % 8] AS first,
             (ARRAY['Novák', 'Okafor', 'Peeters', 'Quispe', 'Rossi', 'Sørensen', 'Tanaka'])[1 + n % 7] AS last,
             (ARRAY['Praha', 'Lagos', 'Gent', 'Lima', NULL])[1 + n % 5] AS city
      FROM generate_series(1, 400) n) person;
INSERT INTO products (name, price, tags)
SELECT (ARRAY['teapot', 'bicycle', 'lamp', 'notebook', 'raincoat'])[1 + n % 5] || ' no. ' || n,
       5 + (n * 37) % 400 / 4.0,
       CASE n % 3 WHEN 0 THEN ARRAY['new'] WHEN 1 THEN ARRAY['sale', 'gift'] ELSE '{}' END
FROM generate_series(1, 120) n;
INSERT INTO stock SELECT id, 10000 FROM products;
INSERT INTO orders (customer_id) SELECT id FROM customers WHERE id % 10 = 0;
INSERT INTO order_items SELECT o.id, 1 + o.id % 120, 2, p.price FROM orders o JOIN products p ON p.id = 1 + o.id % 120;
UPDATE orders SET total = (SELECT sum(quantity * price) FROM order_items WHERE order_id = orders.id),
    version = version + 1;
INSERT INTO stock_movements SELECT product_id, available, 'inventory' FROM stock;
INSERT INTO payments (paid_on, order_id, amount, method) VALUES ('2024-12-31', 0, 0, 'opening entry');
